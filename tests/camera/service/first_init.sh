#!/bin/busybox sh
# this machine's own files, read-only and under a layer in memory, as a system of its own that systemd starts
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
while read -r module; do
    insmod "/modules/$module"
done </modules/order
shared="-t 9p -o trans=virtio,version=9p2000.L,msize=512000"
mkdir -p /machine /layer /root
mount $shared,ro,cache=loose machine /machine
mount -t tmpfs -o size=1g layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/machine,upperdir=/layer/upper,workdir=/layer/work root /root
mkdir -p /root/lib/modules /root/opt/edgekit
mount $shared,ro,cache=loose modules /root/lib/modules
mount $shared shared /root/opt/edgekit
mount -t tmpfs run /root/run
# it is no container, and the files that lie about on this machine are not its business
rm -f /root/.dockerenv
for unit in systemd-tmpfiles-setup systemd-tmpfiles-setup-dev systemd-journal-flush apparmor; do
    ln -sf /dev/null "/root/etc/systemd/system/$unit.service"
done
cp /root/opt/edgekit/trial.* /root/etc/systemd/system/
umount /proc
mount --move /dev /root/dev
exec switch_root /root /lib/systemd/systemd --unit=trial.target --show-status=no
