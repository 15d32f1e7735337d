"""Status and history of a dish as starlink_grpc tells them, as one line of JSON."""
import json
import sys

import starlink_grpc

context = starlink_grpc.ChannelContext(target=sys.argv[1])
status, obstruction, alerts = starlink_grpc.status_data(context)
raw = starlink_grpc.get_history(context)
general, bulk = starlink_grpc.history_bulk_data(-1, context=context)
causes = raw.outages[0].Cause.Name if raw.outages else None
print(json.dumps({
    "status": {"state": status["state"], "uptime": status["uptime"]},
    "history": {
        "drop": bulk["pop_ping_drop_rate"],
        "latency": bulk["pop_ping_latency_ms"],
        "down": bulk["downlink_throughput_bps"],
        "up": bulk["uplink_throughput_bps"],
    },
    "outages": [
        {"cause": causes(o.cause), "start_ns": o.start_timestamp_ns, "duration_ns": o.duration_ns, "did_switch": o.did_switch}
        for o in raw.outages
    ],
}))
