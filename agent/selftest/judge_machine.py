"""What camera, accelerator, broker and clock showed -> what is wrong with them. Pure."""

from __future__ import annotations

from msgspec import Struct

from agent.selftest.result import Fault, Judged

DARK, BRIGHT, FLAT, BLURRED = 25.0, 235.0, 6.0, 15.0
"""Of a picture's grey values 0..255: mean below or above, deviation below; and the variance of its Laplacian below. Coarse on purpose: what
lies beyond them no face can be found in."""

LEAST_FRAME_RATE = 0.6
"""Of what was asked for."""


class CameraSeen(Struct, frozen=True, kw_only=True):
    """A few seconds of pictures."""

    camera: str
    error: str = ""
    frames: int = 0
    seconds: float = 0.0
    width_px: int = 0
    height_px: int = 0
    wanted_px: tuple[int, int] = (0, 0)
    wanted_rate: float = 0.0
    mean: float = 0.0
    deviation: float = 0.0
    sharpness: float = 0.0
    alive: bool = True
    """Whether any two pictures differ: every sensor has noise."""


def judge_camera(seen: CameraSeen) -> Judged:
    """Everything that keeps faces from being found."""
    if seen.error:
        return Judged(
            faults=(
                Fault(
                    what=seen.error,
                    likely=_why_no_camera(seen.camera),
                    mend="stop doorward-vision, which may hold it; then look at the cable at both ends",
                ),
            )
        )
    if not seen.frames:
        return Judged(
            faults=(
                Fault(
                    what=f"camera {seen.camera} opens and gives no picture",
                    likely=_why_no_camera(seen.camera),
                    mend="reseat the cable; try it with the maker's own program",
                ),
            )
        )
    rate = seen.frames / seen.seconds
    measured = {
        "size": f"{seen.width_px}x{seen.height_px} px",
        "rate": f"{rate:.1f} frames/s",
        "brightness": f"{seen.mean:.0f} of 255",
        "contrast": f"{seen.deviation:.0f}",
        "sharpness": f"{seen.sharpness:.0f}",
    }
    faults = tuple(fault for look in (_frozen, _light, _focus, _size, _rate) if (fault := look(seen)) is not None)
    return Judged(
        said=f"{seen.width_px}x{seen.height_px} px, {rate:.0f} frames a second",
        faults=faults[:1] if faults else (),
        measured=measured,
    )


def _why_no_camera(camera: str) -> str:
    if camera == "picamera2":
        return "the ribbon cable sits askew or the wrong way round, or the camera is not enabled"
    if camera.startswith("rtsp:"):
        return "address, user or password, or the camera's network cable"
    return "the USB plug, or a user who is not in the group video"


def _frozen(seen: CameraSeen) -> Fault | None:
    if seen.alive or seen.frames < 3:
        return None
    return Fault(
        what=f"{seen.frames} pictures in a row are the same to the last bit",
        likely="the camera hangs",
        mend="pull its plug and put it in again",
    )


def _light(seen: CameraSeen) -> Fault | None:
    if seen.deviation < FLAT:
        return Fault(
            what=f"the picture is one even colour (brightness {seen.mean:.0f}, contrast {seen.deviation:.0f})",
            likely="a lens cap, tape or a sticker on the lens, or no light at all",
            mend="uncover the lens; switch the light on",
        )
    if seen.mean < DARK:
        return Fault(
            what=f"the picture is too dark (brightness {seen.mean:.0f} of 255)",
            likely="no light at the door, or a covered lens",
            mend="faces need about 100 lx from the front: a lamp above the camera, not behind the people",
        )
    if seen.mean > BRIGHT:
        return Fault(
            what=f"the picture is too bright (brightness {seen.mean:.0f} of 255)",
            likely="the camera looks into the sun or a lamp",
            mend="turn it away from the light or shade it",
        )
    return None


def _focus(seen: CameraSeen) -> Fault | None:
    if seen.sharpness >= BLURRED:
        return None
    return Fault(
        what=f"the picture is blurred (sharpness {seen.sharpness:.0f}, at least {BLURRED:.0f})",
        likely="focus, a film on the lens, or fog",
        mend="peel the film off, wipe the lens, turn its ring until somebody at 1 m is sharp",
    )


def _size(seen: CameraSeen) -> Fault | None:
    if (seen.width_px, seen.height_px) == seen.wanted_px:
        return None
    return Fault(
        what=f"pictures are {seen.width_px}x{seen.height_px} px, asked for were {seen.wanted_px[0]}x{seen.wanted_px[1]}",
        likely="the camera has no such size",
        mend=f"write width_px = {seen.width_px} and height_px = {seen.height_px}, or another camera",
    )


def _rate(seen: CameraSeen) -> Fault | None:
    rate = seen.frames / seen.seconds
    if rate >= LEAST_FRAME_RATE * seen.wanted_rate:
        return None
    return Fault(
        what=f"{rate:.1f} frames a second come, asked for were {seen.wanted_rate:g}",
        likely="a long exposure in poor light, or a USB 2 port",
        mend="more light; a USB 3 (blue) port; or a lower frames_per_s",
    )


class AcceleratorSeen(Struct, frozen=True, kw_only=True):
    """What runs the networks, and what was found on the buses."""

    wanted: str
    """vision.engine of the configuration."""
    error: str = ""
    running: str = ""
    """Name of the engine that runs."""
    described: str = ""
    degraded: bool = False
    embed_ms: float = 0.0
    usb: str = ""
    """USB id of an Edge TPU, or empty."""
    pcie: bool = False
    library: bool = False


UNSTARTED, STARTED = "1a6e:089a", "18d1:9302"
"""USB ids of the Coral accelerator before and after its first inference (google-coral/edgetpu, issue 536)."""


def judge_accelerator(seen: AcceleratorSeen) -> Judged:
    """Well when what was asked for runs. With `auto` a CPU is well, unless an Edge TPU is plugged in and idle."""
    measured = {"engine": seen.described or "none", "embedding": f"{seen.embed_ms:.1f} ms", "Edge TPU on USB": seen.usb or "none"}
    plugged = bool(seen.usb) or seen.pcie
    if seen.error and seen.wanted != "edgetpu":
        return Judged(faults=(Fault(what=seen.error, mend="doorward doctor --only packages"),), measured=measured)
    if seen.wanted == "edgetpu" and not plugged:
        return Judged(
            faults=(
                Fault(
                    what="no Edge TPU is on USB or PCIe",
                    likely="its cable (use the one it came with), a hub without power, or its port",
                    mend=f"plug it into a blue port; `lsusb` must show {UNSTARTED} or {STARTED}",
                ),
            ),
            measured=measured,
        )
    if plugged and not seen.library:
        return Judged(
            faults=(
                Fault(
                    what="an Edge TPU is plugged in, and its library is not installed",
                    mend="sudo apt install libedgetpu1-std (from Google's or a maintained repository)",
                ),
            ),
            measured=measured,
        )
    if seen.error or seen.degraded or (plugged and seen.running != "edgetpu"):
        return Judged(
            faults=(
                Fault(
                    what=seen.error or f"an Edge TPU is plugged in, and {seen.described} runs instead",
                    likely=(
                        "rights on the USB device, a cable or supply that breaks down under load, or models not compiled for it"
                    ),
                    mend="is the user in the group plugdev? Try another cable and a supply of 3 A",
                ),
            ),
            measured=measured,
        )
    return Judged(said=f"{seen.described.partition(' (')[0]}, one face in {seen.embed_ms:.0f} ms", measured=measured)


class BrokerSeen(Struct, frozen=True, kw_only=True):
    """How far a connection came."""

    host: str
    port: int
    tls: bool
    user: str
    failed_at: str = ""
    """Empty, or 'name', 'tcp', 'tls', 'mqtt', 'rights'."""
    error: str = ""
    round_trip_ms: float = 0.0
    expires_in_days: float | None = None
    """Of the broker's certificate."""


SOON_DAYS = 30.0

_BROKER: dict[str, tuple[str, str]] = {
    "name": (
        "the name is not known to the network",
        "is the cable in, and does `getent hosts {host}` answer? Else write the address into link.host",
    ),
    "tcp": (
        "the broker is not running, or a firewall is between",
        "from the server: `ss -tlnp | grep {port}`; from here: `ping {host}`",
    ),
    "tls": (
        "the certificate is not from the site's CA, is out of date, or this door's clock is wrong",
        "doorward doctor --only broker; compare link.ca_file with the server's CA; look at the clock",
    ),
    "mqtt": (
        "the broker does not take this door's name, password or certificate",
        "compare link.user and link.password_file with the broker's accounts",
    ),
    "rights": (
        "the broker's list of rights does not let this door hear its own commands",
        "allow the topics of docs/PROTOCOL.md for this door in the broker's ACL",
    ),
}


def judge_broker(seen: BrokerSeen) -> Judged:
    """Well when the broker takes the door and lets it hear its commands."""
    measured = {
        "broker": f"{seen.host}:{seen.port}",
        "TLS": "yes" if seen.tls else "no",
    }
    if not seen.failed_at:
        measured["round trip"] = f"{seen.round_trip_ms:.1f} ms"
    if seen.expires_in_days is not None:
        measured["certificate"] = f"good for {seen.expires_in_days:.0f} more days"
    if seen.failed_at:
        likely, mend = _BROKER[seen.failed_at]
        return Judged(
            faults=(
                Fault(
                    what=f"{seen.host}:{seen.port}: {seen.error}", likely=likely, mend=mend.format(host=seen.host, port=seen.port)
                ),
            ),
            measured=measured,
        )
    if seen.expires_in_days is not None and seen.expires_in_days < SOON_DAYS:
        return Judged(
            faults=(
                Fault(
                    what=f"the broker's certificate ends in {seen.expires_in_days:.0f} days",
                    likely="nobody renewed it",
                    mend="renew it at the server; events wait on the doors meanwhile",
                ),
            ),
            measured=measured,
        )
    return Judged(
        said=f"{seen.host}:{seen.port} answers in {seen.round_trip_ms:.1f} ms{', encrypted' if seen.tls else ', NOT encrypted'}",
        measured=measured,
    )


class ClockSeen(Struct, frozen=True, kw_only=True):
    """What the kernel says of the clock."""

    synchronised: bool | None
    error_s: float | None
    """The kernel's own estimate of its largest error."""
    year: int
    battery: bool
    """Whether a clock runs on while there is no power."""


FIRST_YEAR = 2026


def judge_clock(seen: ClockSeen) -> Judged:
    """Schedules and logs stand and fall with it; opening for who leaves does not."""
    measured = {
        "synchronised": {True: "yes", False: "no", None: "not known"}[seen.synchronised],
        "battery clock": "yes" if seen.battery else "no",
    }
    if seen.error_s is not None and seen.synchronised:
        measured["largest error"] = f"{seen.error_s:.3f} s"
    if seen.year < FIRST_YEAR:
        return Judged(
            faults=(
                Fault(
                    what=f"the clock says {seen.year}",
                    likely="no battery clock, and no time server reached since the start",
                    mend="connect the network, or set it: sudo timedatectl set-time 'YYYY-MM-DD HH:MM:SS'",
                ),
            ),
            measured=measured,
        )
    if seen.synchronised is False:
        return Judged(
            faults=(
                Fault(
                    what="the clock follows no time server",
                    likely="no network, or a firewall that lets no NTP (UDP 123) through",
                    mend="sudo timedatectl set-ntp true; then `timedatectl timesync-status` names the server",
                ),
            ),
            measured=measured,
        )
    if seen.synchronised is None:
        return Judged(said="the kernel does not say whether it is synchronised", measured=measured, unsure=True)
    return Judged(said="follows a time server", measured=measured)
