"""What makes a site out of a machine: an authority for certificates, Mosquitto's configuration, and who is enrolled."""
