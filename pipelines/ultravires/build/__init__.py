"""What is made of the events: SQL tables in their order, reference tables, and the engine that writes them."""
