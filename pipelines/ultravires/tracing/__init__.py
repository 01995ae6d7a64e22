"""What the terminal shows of one id or one finding: trace and explain."""
