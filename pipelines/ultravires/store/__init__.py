"""What is kept: events in segments, the warehouse that names them, quarantine, and the snapshots that readers see."""
