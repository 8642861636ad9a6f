"""Between browsers and the centre: sessions, endpoints, the stream of what happens."""
