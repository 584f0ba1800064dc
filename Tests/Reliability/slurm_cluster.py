"""A Slurm of one node on this machine's loopback: munge, slurmctld and slurmd in a folder of their own, without accounting and cgroups."""
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time

CONF = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
# A requeued task may start again once its credential has expired: after 5 s, not after the usual two minutes.
AuthInfo=socket={folder}/munge/socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
KillWait=10
SchedulerParameters=sched_interval=1,bf_interval=1
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def install():
    """The distribution's packages, where they are missed."""
    if all(shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") for name in ("sbatch", "slurmctld", "slurmd", "munged")):
        return
    command = ([] if os.getuid() == 0 else ["sudo"]) + ["apt-get", "install", "-y", "slurm-wlm", "munge"]
    print("installing:", " ".join(command), flush=True)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        os.environ["PATH"] += ":/usr/sbin"
        for name in ("state", "spool", "munge"):
            os.makedirs(os.path.join(folder, name), mode=0o700)
        # munged wants every folder above its socket to be passable for all, and none to be writable for others.
        os.chmod(folder, 0o755)
        os.chmod(os.path.join(folder, "munge"), 0o755)
        key = os.path.join(folder, "munge/key")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(os.urandom(128))
        host = socket.gethostname().split(".")[0]
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 * 3 // 4
        self.conf = os.path.join(folder, "slurm.conf")
        with open(self.conf, "w") as file:
            file.write(CONF.format(folder=folder, host=host, user=getpass.getuser(), cpus=os.cpu_count(), memory=memory))
        os.environ["SLURM_CONF"] = self.conf
        self.daemons = []

    def start(self):
        munge = os.path.join(self.folder, "munge")
        self._daemon(["munged", "--foreground", "--force", "--key-file=" + munge + "/key", "--socket=" + munge + "/socket",
                      "--pid-file=" + munge + "/pid", "--log-file=" + munge + "/log", "--seed-file=" + munge + "/seed"])
        self._until(lambda: os.path.exists(munge + "/socket"), "munged")
        self._daemon(["slurmctld", "-D"])
        self._daemon(["slurmd", "-D"])
        self._until(lambda: "idle" in ask("sinfo", "--noheader", "--format=%T"), "slurmctld and slurmd")

    def stop(self):
        """Ends the jobs and the daemons of this cluster, and no other process."""
        subprocess.run(["scancel", "--user", getpass.getuser()], capture_output=True)
        for _ in range(100):
            if not ask("squeue", "--noheader").strip():
                break
            time.sleep(0.2)
        for daemon in reversed(self.daemons):
            if daemon.poll() is None:
                daemon.send_signal(signal.SIGTERM)
                try:
                    daemon.wait(timeout=15)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()

    def _daemon(self, command):
        log = open(os.path.join(self.folder, command[0] + ".out"), "w")
        self.daemons.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))

    def _until(self, holds, what):
        for _ in range(150):
            if holds():
                return
            time.sleep(0.2)
        raise SystemExit(f"{what} did not come up; see the logs in {self.folder}")


def ask(*command):
    """What a command prints; nothing where it fails."""
    return subprocess.run(command, capture_output=True, text=True).stdout


def version():
    return ask("sbatch", "--version").strip()
