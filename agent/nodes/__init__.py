"""The graph's nodes: functions of the lab and the state, one file for each stretch of the road."""
