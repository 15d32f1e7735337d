"""What the dish at the address of real ones says of what stands in its way, as one line of JSON."""
import json
import time

import starlink_grpc

context = starlink_grpc.ChannelContext(target="192.168.100.1:9200")
# A whole second's pings have had their time to be lost.
time.sleep(3)
status, _, _ = starlink_grpc.status_data(context)
print(json.dumps({
    "state": status["state"],
    "drop_rate": status["pop_ping_drop_rate"],
    "currently_obstructed": status["currently_obstructed"],
    "fraction_obstructed": status["fraction_obstructed"],
    "map": sorted({cell for row in starlink_grpc.obstruction_map(context) for cell in row}),
}))
