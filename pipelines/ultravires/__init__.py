"""Follows every action of a non-human identity back to the grant that allowed it."""
