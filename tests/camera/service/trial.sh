# what somebody does who installs a camera on a board; everything that is seen goes into files of /opt/edgekit/seen
set -eu
cd /root
PATH=/opt/edgekit/venv/bin:$PATH
seen=/opt/edgekit/seen
trap 'journalctl -u door -o cat >"$seen/journal"' EXIT

# packages and project where a service may look, as this machine may have them in /tmp or /root
for place in packages project; do
    mkdir -p "/opt/$place"
    mount --bind "$(cat "/opt/edgekit/$place")" "/opt/$place"
done
cp -r /opt/edgekit/net.edgekit /opt/net.edgekit

state() {
    systemctl show door -p ActiveState,SubState,Result,NRestarts,MainPID,ExecMainStatus,MemoryCurrent,MemoryMax \
        >"$seen/$1"
}

until_restarted() {
    for _ in $(seq 300); do
        sleep 2
        systemctl show door -p NRestarts | grep -q "=$1$" || continue
        [ "$(systemctl is-active door)" = "$2" ] && return
    done
}

systemctl start systemd-udevd
modprobe vivid
udevadm settle
ls -l /dev/video0 >"$seen/device"

edgekit deploy /opt/net.edgekit --source 0 --timeout 5 --events - --name door --json >"$seen/deployed"
# the steps that deploy names, but for the one that shows the journal
python -c 'import json, sys; print(*json.load(sys.stdin)["install"][:-1], sep="\n")' <"$seen/deployed" |
    sed 's/sudo //g' >"$seen/install"
sh -e "$seen/install"
state started

# another one wants the camera too
edgekit camera run /opt/net.edgekit --source 0 --frames 1 2>"$seen/in_use" || echo "exit $?" >>"$seen/in_use"

# it hangs: the watchdog sees it
kill -STOP "$(systemctl show door -p MainPID --value)"
until_restarted 1 active
state hung

# the camera is unplugged while it is off, and comes back
systemctl stop door
state stopped
modprobe -r vivid
systemctl reset-failed door # counts restarts from 0 again
systemctl start door --no-block
until_restarted 1 activating
state unplugged
modprobe vivid
udevadm settle
for _ in $(seq 300); do
    [ "$(systemctl is-active door)" = active ] && break
    sleep 2
done
state plugged
systemctl stop door
state ended
touch "$seen/all"
