"""Kills a site's programs at random under load, counts what was lost, and how long it took until everything flowed again."""
