"""The web preview of `hemline classify --serve`: a page, an API, a stream and metrics.

`hemline.web.server` needs Tornado, the extra `hemline[web]`; it and what it imports are loaded where the
preview is asked for.
"""
