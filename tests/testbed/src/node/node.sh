# The first process of a node. Its namespaces (network, mounts, processes, host
# name) are new and end with it, so nothing done here is seen outside.
#
# Usage: unshare … /bin/sh -c "$(cat node.sh)" node FOLDER CGROUP KUBELET NAME
#
# It makes the file FOLDER/born when it can be connected, and goes on when there
# is FOLDER/go, which says HERE, THERE (the ends of the wire), SERVICE and SERVER
# (the API server's address for pods, and its real one).
set -eu

folder=$1
cgroup=$2
kubelet=$3
node=$4

echo "$node" >/proc/sys/kernel/hostname
ip link set lo up

# A short path to the folder: that of a socket may have 107 bytes.
mount --bind "$folder" /mnt
# Where programs write at places that cannot be configured. Overlays of overlays
# do not work, so what containerd unpacks goes to memory.
mkdir -p /mnt/memory
mount -t tmpfs tmpfs /mnt/memory
mkdir -p /mnt/memory/var /mnt/memory/work /mnt/memory/containerd /mnt/memory/kubelet
mount -t overlay overlay -o lowerdir=/var,upperdir=/mnt/memory/var,workdir=/mnt/memory/work /var
mount -t tmpfs tmpfs /run
# The kubelet sees to it that volumes which it mounts reach running containers.
mount --make-rshared /

# The kubelet insists on settings of the kernel that are not the node's own. It is
# shown files in their place, so those of this machine stay as they are.
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
    kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
    file=/mnt/memory/$(echo "$setting" | tr / -)
    cat "/proc/sys/$setting" >"$file"
    mount --bind "$file" "/proc/sys/$setting"
done

# Pods are accounted below a cgroup that only this node has.
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    mkdir -p "/sys/fs/cgroup/$cgroup"
else
    for hierarchy in /sys/fs/cgroup/*/; do
        mkdir -p "$hierarchy$cgroup"
    done
fi

containerd --config /mnt/containerd.toml >/mnt/containerd.log 2>&1 &

touch /mnt/born
until [ -f /mnt/go ]; do sleep 0.05; done
. /mnt/go

ip address add "$THERE/30" dev eth0
ip link set eth0 up
ip route add default via "$HERE"
echo 1 >/proc/sys/net/ipv4/ip_forward
# What kube-proxy would do for the one Service that everybody needs.
for chain in PREROUTING OUTPUT; do
    iptables -t nat -A "$chain" -d "$SERVICE" -p tcp --dport 443 -j DNAT --to "$SERVER"
done

for image in /mnt/*.tar; do
    attempts=0
    until ctr --address /mnt/containerd.sock --namespace k8s.io images import "$image"; do
        attempts=$((attempts + 1))
        [ "$attempts" -lt 100 ] || exit 1
        sleep 0.1
    done
done

"$kubelet" --config=/mnt/kubelet.yaml --kubeconfig=/mnt/kubelet.kubeconfig \
    --root-dir=/mnt/memory/kubelet --cert-dir=/mnt/memory/kubelet-certs \
    --hostname-override="$node" --node-ip="$THERE" --v=2 &
# Not `exec`: the first process buries orphans, and the kubelet would not.
wait $!
