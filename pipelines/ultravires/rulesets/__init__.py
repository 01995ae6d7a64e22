"""What `ultravires rules` says of the rules: which there are, what is wrong with them, and what they cover."""
