"""Every read of starlink_grpc, the stubs of starlink-client and grpcio's reflection client against one dish."""
import json
import math
import sys

import grpc
import starlink_grpc
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

target = sys.argv[1]
context = starlink_grpc.ChannelContext(target=target)
status, obstruction, alerts = starlink_grpc.status_data(context)
assert status["state"] == "CONNECTED", status
assert status["pop_ping_latency_ms"] >= 20 and status["uptime"] >= 1, status
assert status["fraction_obstructed"] == 0 and obstruction["valid_s"] >= 1, obstruction
assert not any(alerts.values()), alerts
for name in ["install_pending", "roaming", "is_heating", "is_power_save_idle", "mast_not_near_vertical", "motors_stuck",
             "slow_ethernet_speeds", "thermal_throttle", "unexpected_location"]:
    assert "alert_" + name in alerts, name
location = starlink_grpc.location_data(context)
assert abs(location["latitude"] - 50.45) < 1e-9 and abs(location["longitude"] - 30.52) < 1e-9, location
groups = starlink_grpc.history_stats(-1, context=context)
assert groups[0]["samples"] >= 1, groups
assert starlink_grpc.get_id(context) == status["id"]
sky = starlink_grpc.obstruction_map(context)
cells = [cell for row in sky for cell in row]
assert len(cells) == 123 * 123 and cells.count(1.0) >= 1 and set(cells) <= {-1.0, 1.0}
starlink_grpc.reset_obstruction_map(context)
assert starlink_grpc.status_data(context)[2]["alert_obstruction_map_reset"]
starlink_grpc.set_sleep_config(720, 30, True, context=context)
assert starlink_grpc.get_sleep_config(context) == (720, 30, True)
starlink_grpc.set_sleep_config(720, 30, False, context=context)
assert starlink_grpc.get_sleep_config(context)[2] is False
try:
    starlink_grpc.set_sleep_config(0, 0, True, context=context)
    raise SystemExit("a window without length was taken")
except starlink_grpc.GrpcError:
    pass
assert starlink_grpc.set_gps_config(False, context=context) is False
assert starlink_grpc.status_data(context)[0]["gps_enabled"] is False
starlink_grpc.set_gps_config(True, context=context)

channel = grpc.insecure_channel(target)

# Reflection as grpcurl does it: all files of all listed services, each found, into an empty pool.
database = ProtoReflectionDescriptorDatabase(channel)
services = database.get_services()
assert "SpaceX.API.Device.Device" in services and len(services) == 3, services
pool = descriptor_pool.DescriptorPool(database)
for service in services:
    pool.FindServiceByName(service)
request = pool.FindMessageTypeByName("SpaceX.API.Device.Request")
assert all(f.json_name for f in request.fields)
assert request.fields_by_name["get_status"].json_name == "getStatus"
pool.FindEnumTypeByName("SpaceX.API.Device.DishOutage.Cause")
pool.FindMessageTypeByName("SpaceX.API.Device.DishGetDiagnosticsResponse.Alerts")
try:
    pool.FindMessageTypeByName("SpaceX.API.Device.NoSuchThing")
    raise SystemExit("an unknown symbol was found")
except KeyError:
    pass

# The stubs of starlink-client, which carry a schema of their own. Its client is fixed to its own address.
from starlink_client.grpc_client import GrpcClient
client = GrpcClient(target)
told = {name: getattr(client, name)() for name in dir(client) if name in (
    "get_status", "get_history", "get_diagnostics", "get_device_info", "get_location")}

print(json.dumps({"id": status["id"], "starlink_client": sorted(told), "nan": math.isnan(
    starlink_grpc.get_status(context).obstruction_stats.avg_prolonged_obstruction_interval_s)}))
