"""What people do before a door, measured: from tracks to evidence. Pure: messages in, messages out, time is an argument."""
