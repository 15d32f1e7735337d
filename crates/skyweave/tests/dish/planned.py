"""What the dish at the address of real ones says of its connection, as one line of JSON."""
import json
import time

import starlink_grpc

context = starlink_grpc.ChannelContext(target="192.168.100.1:9200")
time.sleep(3)
status = starlink_grpc.status_data(context)[0]
location = starlink_grpc.location_data(context)
request = starlink_grpc.Request(dish_get_context={})
told = starlink_grpc.call_with_channel(
    lambda channel: starlink_grpc.DeviceStub(channel).Handle(request, timeout=5), context=context).dish_get_context
print(json.dumps({
    "state": status["state"],
    "latency_ms": status["pop_ping_latency_ms"],
    "lat": location["latitude"],
    "lon": location["longitude"],
    "satellite": told.initial_satellite_id,
    "to_slot_end": told.seconds_to_slot_end,
    "cells": sum(cell >= 0 for row in starlink_grpc.obstruction_map(context) for cell in row),
}))
