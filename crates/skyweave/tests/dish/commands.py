"""Commands to a dish through starlink_grpc; afterwards its status, as one line of JSON."""
import json
import sys
import time

import starlink_grpc

target, command = sys.argv[1:]
context = starlink_grpc.ChannelContext(target=target)
gone = False
if command == "stow":
    starlink_grpc.set_stow_state(context=context)
elif command == "unstow":
    starlink_grpc.set_stow_state(unstow=True, context=context)
elif command == "reboot":
    starlink_grpc.reboot(context)
    end = time.time() + 30
    while time.time() < end:
        time.sleep(0.3)
        try:
            if starlink_grpc.get_status(context).device_info.bootcount == 2 and gone:
                break
        except Exception:
            gone = True
            context.close()
status = starlink_grpc.get_status(context)
print(json.dumps({
    "state": status.DESCRIPTOR and starlink_grpc.status_data(context)[0]["state"],
    "stow_requested": status.stow_requested,
    "bootcount": status.device_info.bootcount,
    "uptime": status.device_state.uptime_s,
    "current": starlink_grpc.get_history(context).current,
    "gone": gone,
}))
