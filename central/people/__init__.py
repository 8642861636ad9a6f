"""Who may pass where: cardholders, what was issued to them, profiles, schedules and the rules of doors, as the centre keeps them."""
