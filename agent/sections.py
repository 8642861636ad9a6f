"""The tables of a controller's configuration file: names, ranges, defaults. agent.config reads them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

CAMERAS = (
    '"picamera2", "rpicam:0" (Raspberry Pi), "csi:0" (Jetson), a number in quotes ("0"), "/dev/video…", "rtsp:…", '
    '"gst:…" (a GStreamer source) or "file:…"'
)
Name = Annotated[
    str, Meta(pattern=r"^[a-z0-9_-]{1,40}\Z", description="1 to 40 of a-z, 0-9, _ and -, for it becomes a topic level")
]
PIN_WORDS = 'a BCM number from 0 to 53, a name of the board like "GPIO17", "BOARD11" or "PAC.06", or a line like "gpiochip0:12"'
Pin = (
    Annotated[int, Meta(ge=0, le=53)]
    | Annotated[
        str, Meta(pattern=r"^(GPIO\d{1,2}|BOARD\d{1,2}|P[A-Z]{1,2}\.\d{2}|gpiochip\d{1,2}:\d{1,3})\Z", description=PIN_WORDS)
    ]
)
SensorPin = (
    Annotated[int, Meta(ge=0, le=53)]
    | Annotated[str, Meta(pattern=r"^(none|GPIO\d{1,2}|BOARD\d{1,2}|P[A-Z]{1,2}\.\d{2}|gpiochip\d{1,2}:\d{1,3})\Z",
                          description=f'{PIN_WORDS}, or "none" where there is none')]
)  # fmt: skip
"""TOML has no null, and a key that is left out has its default: a sensor that a door lacks must be said to be missing."""
Stage = Literal["attention", "liveness", "persons"]


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class Board(Section, frozen=True):
    """Which pins there are. `sim` needs `rig`, the socket of the simulated wiring: nothing is ever simulated by default.

    gpiozero's pigpio is not among them: its edges carry the daemon's own 32-bit microseconds, which wrap, and not CLOCK_MONOTONIC.
    """

    pins: Literal["gpiod", "lgpio", "rpigpio", "native", "sim"] = "gpiod"
    model: Literal["auto", "raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-zero-2-w", "compute-module-4", "jetson-orin-nano",
                   "jetson-orin-nx"] = "auto"  # fmt: skip
    """With pins = "gpiod": which board's pin names hold; "auto" asks the board."""
    rig: str = ""


WiegandFormatName = Literal["H10301", "W34", "C1000-35", "W36", "W36-odd-even", "H10302", "H10304", "W32", "raw"]
RawLengths = tuple[Annotated[int, Meta(ge=16, le=96)], ...]
"""Bit counts of frames that are taken as they are, without parity; with "raw" among the formats."""
Leads = Literal["in", "out"]
Device = Annotated[
    str, Meta(pattern=r"^/dev/.+\Z", description='a serial device, best "/dev/serial/by-id/…", which keeps its name')
]


class WiegandReader(Section, frozen=True, tag_field="kind", tag="wiegand"):
    """A Wiegand reader on two pins. `formats` is also the list of lengths it may send."""

    name: Name = "front"
    leads: Leads = "in"
    d0_pin: Pin = 17
    d1_pin: Pin = 27
    formats: Annotated[tuple[WiegandFormatName, ...], Meta(min_length=1)] = ("H10301",)
    raw_lengths: RawLengths = ()
    keypad: Literal["none", "4-bit", "8-bit"] = "none"
    pace: Literal["even", "any"] = "even"
    """A reader sends its bits at an even pace; a frame with a lost or an invented edge does not, and is refused."""
    led_pin: SensorPin = "none"
    red_led_pin: SensorPin = "none"
    beeper_pin: SensorPin = "none"
    lines_active_high: bool = True
    """The reader's own light and beeper; a transistor pulls each line low when its pin is high (docs/FEEDBACK.md)."""


class SerialReader(Section, frozen=True, tag_field="kind", tag="serial"):
    """A reader on a serial line. A UID (`pn532`) can be copied: it names a fob and proves nothing."""

    name: Name
    device: Device
    leads: Leads = "in"
    protocol: Literal["rdm6300", "pn532", "lines"] = "rdm6300"
    baud: Literal[9600, 19200, 38400, 57600, 115200] | None = None
    """None: the protocol's own."""


class OsdpReader(Section, frozen=True, tag_field="kind", tag="osdp"):
    """An OSDP peripheral on an RS-485 line. Secure Channel is not optional."""

    name: Name
    device: Device
    leads: Leads = "in"
    baud: Literal[9600, 19200, 38400, 57600, 115200, 230400] = 9600
    """Readers leave the factory at 9600."""
    address: Annotated[int, Meta(ge=0, le=126)] = 0
    key_file: str = ""
    """Its Secure Channel key, encrypted for this door; empty: `/etc/doorward/osdp-NAME.key`. Made by `doorward osdp set-key`."""
    formats: Annotated[tuple[WiegandFormatName, ...], Meta(min_length=1)] = ("H10301",)
    """Formats of the bits it passes on."""
    raw_lengths: RawLengths = ()


AnyReader = WiegandReader | SerialReader | OsdpReader


class LockSection(Section, frozen=True):
    """The lock and its relay."""

    kind: Literal["strike", "maglock"] = "strike"
    fail: Literal["secure", "safe"] = "secure"
    relay_pin: Pin = 22
    relay_active_high: bool = True
    pulse_s: Annotated[float, Meta(ge=0.5, le=30)] = 3.0
    extended_pulse_s: Annotated[float, Meta(ge=0.5, le=60)] = 10.0
    hardware_release: bool = False
    """A maglock must be cut by REX and fire loop in hardware; the installer states here that it is."""
    fire_door: bool = False
    own_latch: bool = False
    """A fire door with a magnet needs a latch of its own: the installer states that it has one."""
    second_pin: SensorPin = "none"
    second_role: Literal["lock", "opener", "alarm", "shunt"] = "lock"
    second_active_high: bool = True
    opener_delay_s: Annotated[float, Meta(ge=0, le=5)] = 0.5
    opener_pulse_s: Annotated[float, Meta(ge=0.1, le=5)] = 1.0
    one_shot_s: Annotated[float, Meta(ge=0, le=120)] = 0.0
    """So long the timer between pin and relay lets an opening last that nobody renews; 0: none is fitted."""
    settle_s: Annotated[float, Meta(ge=0.1, le=10)] = 1.0
    """So long the lock's own monitor contact (`inputs.bolt_pin`) may take to follow the relay."""


INPUTS = ("contact", "rex", "fire", "tamper", "bolt", "interlock")
"""The other door of a lobby is `interlock`, the lock's own monitor contact `bolt`."""


class Inputs(Section, frozen=True):
    """Inputs that are wired. An open loop means 'door open', 'fire' or 'tampered': what is not wired must be "none"."""

    contact_pin: SensorPin = 23
    rex_pin: SensorPin = 24
    fire_pin: SensorPin = "none"
    tamper_pin: SensorPin = "none"
    bolt_pin: SensorPin = "none"
    bolt_closed_when: Literal["secured", "released"] = "secured"
    interlock_pin: SensorPin = "none"
    debounce_s: Annotated[float, Meta(ge=0.001, le=0.5)] = 0.03

    def wired(self) -> dict[str, Pin]:
        """Name of each input that there is -> its pin."""
        return {name: pin for name in INPUTS if (pin := getattr(self, f"{name}_pin")) != "none"}


Ohm = Annotated[float, Meta(ge=100, le=100_000)]
Channel = Annotated[int, Meta(ge=0, le=7)] | Literal["none"]


class Supervision(Section, frozen=True):
    """Loops supervised by two resistors and read by an MCP3008 on SPI, instead of a pin: docs/HARDWARE.md."""

    contact_channel: Channel = "none"
    rex_channel: Channel = "none"
    fire_channel: Channel = "none"
    tamper_channel: Channel = "none"
    bolt_channel: Channel = "none"
    interlock_channel: Channel = "none"
    spi_port: Annotated[int, Meta(ge=0, le=1)] = 0
    spi_device: Annotated[int, Meta(ge=0, le=1)] = 0
    pull_up_ohm: Ohm = 2200.0
    series_ohm: Ohm = 1000.0
    parallel_ohm: Ohm = 3300.0
    poll_s: Annotated[float, Meta(ge=0.005, le=0.1)] = 0.02

    def wired(self) -> dict[str, int]:
        """Name of each input that there is -> its channel."""
        return {name: channel for name in INPUTS if (channel := getattr(self, f"{name}_channel")) != "none"}


class DoorTiming(Section, frozen=True):
    held_open_s: Annotated[float, Meta(ge=5, le=3600)] = 30.0
    extended_held_open_s: Annotated[float, Meta(ge=5, le=3600)] = 60.0
    warn_before_s: Annotated[float, Meta(ge=0, le=3600)] = 10.0
    propped_s: Annotated[float, Meta(ge=5, le=86400)] = 300.0
    rex_pulse_s: Annotated[float, Meta(ge=0.5, le=30)] = 5.0
    relock_on_open: bool = True
    """Secure as soon as the door has opened, so that it latches when it falls shut."""


class Policy(Section, frozen=True):
    """What a fob and a face must show before the door lets go."""

    fmr: Annotated[float, Meta(gt=0, le=0.01)] = 0.001
    """False match rate the threshold stands for; must be one the model's manifest states."""
    threshold_floor: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Never below this cosine, whatever the manifest says (raised by calibration on the door's own camera)."""
    face_wait_s: Annotated[float, Meta(ge=0, le=10)] = 1.5
    mismatch_wait_s: Annotated[float, Meta(ge=0, le=10)] = 0.8
    vision_wait_s: Annotated[float, Meta(ge=0, le=1)] = 0.5
    without_vision: Literal["deny", "fob_alone"] = "deny"
    without_template: Literal["deny", "fob_alone"] = "deny"
    without_time: Literal["judge", "deny"] = "judge"
    """Who is bound to days or hours while the clock may be anything: judged by the best guess, or refused (docs/IDENTITY.md)."""
    min_face_px: Annotated[float, Meta(ge=16, le=400)] = 40.0
    min_quality: Annotated[float, Meta(ge=0, le=1)] = 0.2
    liveness: Literal["off", "alert", "deny_attack", "require_live"] = "alert"
    """What is done when the cardholder's face is a picture of it (docs/LIVENESS.md). Never asked of somebody who leaves."""
    pin_wait_s: Annotated[float, Meta(ge=3, le=60)] = 15.0
    """So long a PIN is waited for after the fob, where an access profile asks for one."""
    pin_tries: Annotated[int, Meta(ge=1, le=20)] = 5
    pin_lockout_s: Annotated[float, Meta(ge=10, le=3600)] = 300.0
    pin_most_digits: Annotated[int, Meta(ge=4, le=12)] = 8
    pin_pause_s: Annotated[float, Meta(ge=1, le=30)] = 5.0
    """After such a pause between two keys a PIN is begun anew."""


HourMinute = Annotated[str, Meta(pattern=r"^(|([01]\d|2[0-3]):[0-5]\d)\Z", description='a time of day like "22:00", or empty')]
Sound = Literal["all", "answers", "off"]


class Feedback(Section, frozen=True):
    """Lamps, buzzer and display beside the door. Without any of them a reader with lights of its own tells."""

    language: Literal["en", "de", "fr"] = "en"
    sound: Sound = "all"
    quiet_from: HourMinute = ""
    quiet_until: HourMinute = ""
    quiet_sound: Sound = "answers"
    red_pin: SensorPin = "none"
    green_pin: SensorPin = "none"
    amber_pin: SensorPin = "none"
    blue_pin: SensorPin = "none"
    buzzer_pin: SensorPin = "none"
    active_high: bool = True
    buzzer: Literal["active", "passive"] = "active"
    volume: Annotated[float, Meta(ge=0.05, le=1)] = 1.0
    display: Annotated[str, Meta(pattern=r"^(none|lcd:\d{1,2}:0x[0-9a-f]{2}|sim:.+)\Z",
                                 description='"none" or "lcd:BUS:ADDRESS", as "lcd:1:0x27"')] = "none"  # fmt: skip
    charset: Literal["A00", "A02"] = "A00"


class Deployment(Section, frozen=True):
    """What the law lets run here at all; see docs/PRIVACY.md. Expression stages are refused in `workplace-eu`."""

    profile: Literal["workplace-eu", "standard"] = "workplace-eu"
    expression: bool = False
    keep_evidence: bool = False
    """Keep an annotated picture of each decision on this controller."""


class Records(Section, frozen=True):
    folder: str = "/var/lib/doorward"
    bundle: str = "/var/lib/doorward/access.bundle"
    centre_key: str = "/etc/doorward/centre.pub"
    """Ed25519 key (hex) that access bundles must be signed with."""
    door_key: str = "/etc/doorward/door.key"
    """X25519 key (hex, mode 0600) that templates are sealed for."""


class Link(Section, frozen=True):
    host: str = "127.0.0.1"
    other_hosts: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=253)], ...], Meta(max_length=9)] = ()
    """Further nodes of a cluster of brokers (docs/NATS.md), at the same port."""
    qos: Annotated[int, Meta(ge=0, le=1)] = 1
    """0 for a cluster of NATS: what counts is acknowledged by the historian either way."""
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    user: str = ""
    password_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    keepalive_s: Annotated[int, Meta(ge=2, le=600)] = 15
    window: Annotated[int, Meta(ge=1, le=1000)] = 100
    """Events under way at once."""
    ack_timeout_s: Annotated[float, Meta(ge=0.1, le=600)] = 5.0
    max_command_s: Annotated[float, Meta(ge=1, le=60)] = 10.0
    """A command may not ask to be valid for longer."""


class Vision(Section, frozen=True):
    """The vision program."""

    camera: Annotated[
        str, Meta(pattern=r"^(picamera2|sim:.+|file:.+|rtsp:.+|rpicam:\d|csi:\d|gst:.+|\d+|/dev/.+)\Z", description=CAMERAS)
    ] = "picamera2"
    width_px: Annotated[int, Meta(ge=320, le=1920)] = 640
    height_px: Annotated[int, Meta(ge=240, le=1080)] = 480
    frames_per_s: Annotated[float, Meta(ge=1, le=60)] = 15.0
    engine: Literal["auto", "litert", "tflite-runtime", "edgetpu"] = "auto"
    threads: Annotated[int, Meta(ge=1, le=8)] = 1
    models: str = ""
    """Folder of the models; empty for those that came with the program."""
    calibrate: bool = False
    """Count how alike different people look to this camera, for `doorward calibrate`; nothing of a face is kept."""
    scene_watch: bool = True
    """Tell of a camera that is frozen, black, covered, dazzled, moved or out of focus."""
    enrol: bool = True
    """The centre may enrol somebody at this camera who has signed; False where it must not, as in a street: docs/ENROLMENT.md."""
    stages: tuple[Stage, ...] = ("attention", "liveness", "persons")
    """What is looked at beyond who it is. Networks of other stages are not opened. Expressions are `deployment.expression`."""


class Behaviour(Section, frozen=True):
    """What people do before the door (docs/BEHAVIOUR.md): measurements that a decision and a guard are told of."""

    enabled: bool = True
    floor: str = "/etc/doorward/floor.toml"
    """What the installer marked: metres and zones (docs/FLOOR.md). Where there is no such file, the three below are taken."""
    across_deg: Annotated[float, Meta(ge=20, le=140)] = 70.0
    above_floor_m: Annotated[float, Meta(ge=0.5, le=6)] = 2.0
    tilt_deg: Annotated[float, Meta(ge=-10, le=80)] = 15.0
    """A camera that nobody has marked a floor for, roughly: its lens's horizontal angle, its height, how far it looks down."""
    norms: Literal["off", "door", "door_and_cardholders"] = "door"
    """Whose usual is learned: nobody's, this door's, or also that of each cardholder who has consented to it."""
    stress_signs: bool = False
    micro_expressions: bool = False
    """Both refused in `workplace-eu`, as expressions are."""


class RiskRule(Section, frozen=True):
    """What follows from a risk in these bands. Of several that fit, the first one counts; everything is logged besides."""

    bands: Annotated[tuple[Literal["raised", "high", "critical"], ...], Meta(min_length=1)]
    modes: tuple[Literal["Locked", "Unlocked", "Accessed", "Blocked", "LockedDown", "LockedOpen"], ...] = ()
    """Of the door; empty: in every mode."""
    from_: HourMinute = field(name="from", default="")
    until: HourMinute = ""
    does: tuple[Literal["alert", "hold_for_guard", "deny", "lock_down"], ...] = ()
    tells: tuple[Literal["guards", "managers"], ...] = ()


Share = Annotated[float, Meta(ge=0, le=1)]


class Risk(Section, frozen=True):
    """What follows from behaviour, and what may never be automatic: docs/RISK.md."""

    raised_from: Share = 0.3
    high_from: Share = 0.55
    critical_from: Share = 0.8
    """Scores from which the bands count."""
    emotional_at_most: Share = 0.25
    """All that expressions may add together, where the profile allows them at all."""
    deny_on_behaviour_alone: bool = False
    """True puts in writing that behaviour may keep somebody out without a harder fact beside it."""
    automatic_lock_down: bool = False
    """True puts in writing that a risk may lock the door down without a person."""
    hold_s: Annotated[float, Meta(ge=5, le=120)] = 20.0
    """So long somebody who is held waits for a guard; then they are denied."""
    lower_after_s: Annotated[float, Meta(ge=1, le=600)] = 10.0
    """A band is raised at once and lowered after so long."""
    rules: Annotated[tuple[RiskRule, ...], Meta(max_length=32)] = (
        RiskRule(bands=("critical",), does=("alert",), tells=("guards", "managers")),
        RiskRule(bands=("high",), does=("alert",), tells=("guards",)),
    )


SoundDevice = Annotated[
    str, Meta(pattern=r"^(none|alsa:[!-~]{1,100}|sim:.+)\Z", description='"none" or "alsa:DEVICE", as "alsa:plughw:CARD=Device"')
]


class Live(Section, frozen=True):
    """Live view, for whoever the centre lets watch: docs/LIVE.md. Nothing is sent unasked."""

    enabled: bool = True
    viewers: Annotated[int, Meta(ge=1, le=8)] = 4
    frames_per_s: Annotated[float, Meta(ge=1, le=30)] = 12.0
    width_px: Annotated[int, Meta(ge=160, le=1280)] = 640
    longest_min: Annotated[int, Meta(ge=1, le=480)] = 30
    """A session that nobody ends is ended after so long."""
    codec: Literal["auto", "vp8", "h264"] = "auto"
    """The preferred one; a browser that lacks it gets the other. "auto": H.264 by the board's hardware where there is some, else VP8."""
    microphone: SoundDevice = "none"
    speaker: SoundDevice = "none"
    """For talking with whoever is at the door. The microphone is open only while somebody talks, and a tone says so."""
    clips: bool = False
    """Keep a short film of each alert, encrypted for the centre; sent only when somebody there asks for it."""
    clip_before_s: Annotated[float, Meta(ge=1, le=20)] = 8.0
    clip_after_s: Annotated[float, Meta(ge=1, le=20)] = 6.0
    clips_most: Annotated[int, Meta(ge=1, le=500)] = 100
    clips_days: Annotated[int, Meta(ge=1, le=365)] = 30
    user: str = ""
    password_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    """Media's own account or certificate at the broker; empty: those of `link`. A broker that takes client ids from certificates needs it."""


class Config(Section, frozen=True):
    """Everything both programs of a controller need to know before they start."""

    site: Name
    door: Name
    run_folder: str = "/run/doorward"
    """Where door and vision find each other's sockets."""
    board: Board = Board()
    readers: Annotated[tuple[AnyReader, ...], Meta(min_length=1, max_length=4)] = (WiegandReader(),)
    lock: LockSection = LockSection()
    inputs: Inputs = Inputs()
    supervision: Supervision = Supervision()
    feedback: Feedback = Feedback()
    timing: DoorTiming = DoorTiming()
    policy: Policy = Policy()
    deployment: Deployment = Deployment()
    records: Records = Records()
    link: Link = Link()
    vision: Vision = Vision()
    behaviour: Behaviour = Behaviour()
    risk: Risk = Risk()
    live: Live = Live()

    @property
    def wired(self) -> frozenset[str]:
        """Names of the inputs that there are, on a pin or on the converter."""
        return frozenset(self.inputs.wired()) | frozenset(self.supervision.wired())
