"""What doors told: taken from the wire, kept, shown, counted, handed on, and removed when its time is over."""
