"""What the dish at the address of real ones says of its connection, as one line of JSON."""
import json
import re
import statistics
import subprocess
import time

import starlink_grpc

context = starlink_grpc.ChannelContext(target="192.168.100.1:9200")


def context_told():
    request = starlink_grpc.Request(dish_get_context={})
    return starlink_grpc.call_with_channel(
        lambda channel: starlink_grpc.DeviceStub(channel).Handle(request, timeout=5), context=context).dish_get_context


time.sleep(3)
# The client learns its messages from the first call.
starlink_grpc.status_data(context)
# With the next slot the satellite and the way to the ground may be others: all is asked within one.
left = context_told().seconds_to_slot_end
if left < 5:
    time.sleep(left + 3)
status = starlink_grpc.status_data(context)[0]
ping = subprocess.run(["ping", "-c", "5", "-i", "0.2", "100.64.0.1"], capture_output=True, text=True, check=True).stdout
location = starlink_grpc.location_data(context)
told = context_told()
print(json.dumps({
    "state": status["state"],
    "latency_ms": status["pop_ping_latency_ms"],
    "ping_ms": statistics.median(float(ms) for ms in re.findall(r"time=([0-9.]+)", ping)),
    "lat": location["latitude"],
    "lon": location["longitude"],
    "satellite": told.initial_satellite_id,
    "to_slot_end": told.seconds_to_slot_end,
    "cells": sum(cell >= 0 for row in starlink_grpc.obstruction_map(context) for cell in row),
}))
