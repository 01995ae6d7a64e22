"""Access review: what each identity was approved, holds and uses, for who answers for it; and the answers."""
