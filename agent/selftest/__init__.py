"""`doorward selftest`: walks an installer through everything that is wired to a door, and names what is wrong and the likely wire.

| file | holds |
|---|---|
| `result.py` | what a step found: the types that report and terminal are made of |
| `judge_*.py` | pure verdicts: what was seen -> what is wrong, with its likely wire and its mend |
| `hands.py` | what a step with hands works with |
| `bench.py` | the door's hardware, opened for watching |
| `steps.py`, `step_*.py` | one function a step: tell, watch, judge. **A new step is a function and a line in `SelfTest._all`** |
| `installer.py` | the person in front of it: a terminal, or a script |
| `report.py` | the handover page (HTML) and the same as JSON |
"""
