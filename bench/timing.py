"""Runs commands side by side and measures them: wall time, peak memory, processor time of the whole machine."""

import os
import subprocess
import threading
import time

import machine


class Failed(Exception):
    """A measured command failed, or what it left is wrong. The figures are worth nothing then."""


class Run:
    """What one timed run took."""

    def __init__(self, wall, memory, busy, load, texts):
        self.wall, self.memory, self.busy, self.load = wall, memory, busy, load
        self.output, self.errors = texts


def peak(pid, into, done):
    """Reads a process's peak memory until it ends. What wait4 says would include this script's own, from before exec."""
    while not done.is_set():
        for line in machine.read(f"/proc/{pid}/status").splitlines():
            if line.startswith("VmHWM:"):
                into[0] = max(into[0], int(line.split()[1]) * 1024)
        done.wait(0.02)


def spawn(commands, pipe, env, folder, kept):
    """Starts all commands; each one's output goes to the next where `pipe`, else to files in `folder`, or nowhere."""
    processes, source = [], subprocess.DEVNULL
    for number, command in enumerate(commands):
        feeds = pipe and number < len(commands) - 1
        sink = subprocess.PIPE if feeds else open(os.path.join(folder, f"out{number}") if kept else os.devnull, "w+b")
        errors = open(os.path.join(folder, f"err{number}"), "w+b")
        process = subprocess.Popen(command, stdin=source, stdout=sink, stderr=errors, env=env, cwd=folder)
        process.kept = (None if feeds else sink, errors)
        if source is not subprocess.DEVNULL:
            source.close()
        source = process.stdout if feeds else subprocess.DEVNULL
        processes.append(process)
    return processes


def said(process):
    """What a process has said on either output, as text."""
    texts = []
    for file in process.kept:
        if file is None:
            texts.append("")
            continue
        file.seek(0)
        texts.append(file.read().decode("utf-8", "replace"))
        file.close()
    return texts


def timed(commands, pipe=False, env=None, folder=None, codes=(0,), kept=True):
    """Runs all commands at the same time, each into the next where `pipe`, and waits for all of them to end."""
    load, busy = machine.load(), machine.busy_seconds()
    memory, done = [0], threading.Event()
    started = time.monotonic()
    processes = spawn(commands, pipe, env, folder, kept)
    watcher = threading.Thread(target=peak, args=(processes[0].pid, memory, done))
    watcher.start()
    try:
        for process in processes:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            memory[0] = memory[0] or usage.ru_maxrss * 1024
        wall = time.monotonic() - started
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                process.wait()
        done.set()
        watcher.join()
    texts = ["", ""]
    for process in processes:
        output, errors = said(process)
        if process.returncode not in codes:
            texts = f"{output[-2000:]}{errors[-2000:]}"
            raise Failed(f"exit code {process.returncode}: {' '.join(process.args)}\n{texts}")
        texts = [texts[0] + output, texts[1] + errors]
    return Run(wall, memory[0], machine.busy_seconds() - busy, load, texts)
