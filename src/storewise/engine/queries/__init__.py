"""What shoppers searched for and clicked, as the events tell it, and what search learns from that."""
