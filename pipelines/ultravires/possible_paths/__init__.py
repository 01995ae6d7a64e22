"""`ultravires paths`: the ways to more power that are open to an identity."""
