"""From a signed consent to a template: pictures are looked at in memory and kept nowhere."""
