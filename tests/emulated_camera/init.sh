#!/busybox sh
# The first process of the emulated machine: it loads the modules, mounts this machine's files, and runs a program.
/busybox mkdir -p /proc /host
/busybox mount -t proc proc /proc
/busybox mount -t devtmpfs devtmpfs /dev
for module in $(/busybox cat /modules/order); do
    /busybox insmod "/modules/$module.ko" || echo "init: $module cannot be loaded"
done
/busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=524288 host /host
/busybox mount -t proc proc /host/proc
/busybox mount -t sysfs sysfs /host/sys
/busybox mount -t devtmpfs devtmpfs /host/dev
/busybox mount -t tmpfs tmpfs /host/run
/busybox mount -t 9p -o trans=virtio,version=9p2000.L,cache=none out /host/mnt
/busybox mkdir -p /host/run/modules
/busybox cp /modules/v4l2loopback.ko /modules/vivid.ko /host/run/modules
/busybox cp /busybox /host/run/busybox
/busybox chroot /host /bin/sh /mnt/program </dev/null >/dev/ttyS0 2>&1
echo "init: the program ended with $?"
/busybox sync
/busybox poweroff -f
