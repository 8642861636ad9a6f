"""`doorward doctor`: what is missing in software on a controller, why it matters, and the command that mends it.

| file | holds |
|---|---|
| `finding.py` | what a check says |
| `machine.py` | looking: files, commands, users, packages; never changes anything, and never fails for want of something |
| `verdict_*.py` | pure: what was seen -> findings |
| `check_*.py` | one function a check: look, then judge. **A new check is a function and a line in `checks.py`** |
"""
