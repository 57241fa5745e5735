"""What is asked for, as data, and what it costs."""
