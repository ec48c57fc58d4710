"""What is studied: a target's manifest, its trusted checkout, the repositories shipped as examples."""
