"""A language model reads the symbols that matter and names defects, each with lines that are checked to exist."""
