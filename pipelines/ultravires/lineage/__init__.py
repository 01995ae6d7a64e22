"""What an identity holds, through what and since when, and the fewest changes that take it back."""
