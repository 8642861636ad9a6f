"""An RTSP server for the contract suite, run by the system's own Python: `rtsp_server.py PORT ELEMENTS`.

The server is GStreamer's (Debian: gir1.2-gst-rtsp-server-1.0), as it is in many a camera. It serves `rtsp://127.0.0.1:PORT/door` in H.264
to the user `door` with the password `secret`, and prints the port once it listens.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

ENCODER = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 bitrate=2000"


def main(port: str, elements: str) -> None:
    Gst.init(None)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {elements} ! {ENCODER} ! rtph264pay name=pay0 pt=96 )")
    factory.set_shared(True)
    role = GstRtspServer.RTSPToken()
    role.set_string("media.factory.role", "door")
    factory.add_role_from_structure(
        Gst.Structure.new_from_string("door, media.factory.access=true, media.factory.construct=true")
    )
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    server.set_auth(_auth(role))
    server.get_mount_points().add_factory("/door", factory)
    if not server.attach(None):
        sys.exit(f"port {port} is taken")
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


def _auth(role: GstRtspServer.RTSPToken) -> GstRtspServer.RTSPAuth:
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic("door", "secret"), role)
    return auth


if __name__ == "__main__":
    main(*sys.argv[1:])
