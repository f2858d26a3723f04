"""A camera that speaks RTSP, H.264 at 15 frames a second: `python3 rtsp_server.py PORT`.

GStreamer's server of Debian, in Debian's Python, since PyPI has no wheel of it.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
media = GstRtspServer.RTSPMediaFactory()
media.set_shared(True)
media.set_launch(
    "( videotestsrc is-live=true pattern=ball"
    " ! video/x-raw,format=I420,width=320,height=240,framerate=15/1"
    " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15"
    " ! rtph264pay name=pay0 pt=96 )"
)
server.get_mount_points().add_factory("/live", media)
server.attach(None)
print(f"serving on {server.get_bound_port()}", flush=True)
GLib.MainLoop().run()
