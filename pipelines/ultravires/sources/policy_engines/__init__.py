"""Policy engines that decide at run time."""
