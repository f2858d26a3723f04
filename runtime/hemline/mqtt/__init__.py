"""MQTT: a broker and its topics, and publishing there without ever waiting for it.

`hemline.sinks.mqtt` publishes answers with it. It needs `pip install 'hemline[mqtt]'`.
"""
