"""`doorward commission`: an installer's way from a door that is wired to a door that is handed over, with a signed page for the customer.

| file | holds |
|---|---|
| `session.py` | which steps are done, what comes next, what must be done again: pure; `session_file.py` keeps it |
| `walk.py`, `steps_*.py` | one function a step. **A new step is a function, a line in `walk.RUN` and one in `session.TITLES`** |
| `desk.py`, `outcome.py` | what a step works with, and how it ends |
| `guide.py`, `answers.py` | the person in front of it: questions on a terminal, by a script, from a file |
| `aim.py`, `aim_panel.py`, `camera.py` | where the camera must be turned (pure), that as text (pure), and the door's own eye |
| `pairing.py`, `door_toml.py` | keys from the centre for a short code, and what it tells laid over the configuration |
| `handover.py`, `handover_page.py`, `machine_sums.py` | what is handed over (pure), its page, and what runs there |
| `sealed_page.py`, `door_signature.py` | the page's signature, and whether it still holds |
| `cli.py` | the command |
"""
