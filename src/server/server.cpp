// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "base/assert.h"
#include "base/format.h"
#include "base/log.h"
#include "build_info.h"
#include "io/capabilities.h"
#include "io/host_memory.h"
#include "io/listener.h"
#include "io/privileges.h"
#include "io/supervisor.h"
#include "io/uring_ring.h"
#include "server/background.h"
#include "server/control.h"
#include "server/core.h"
#include "server/descriptor_plan.h"
#include "server/memory_budget.h"
#include "server/ports.h"
#include "server/predecessor.h"

namespace spillway::server {
namespace {

using base::concat;
namespace log = base::log;

std::vector<unsigned> available_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<unsigned> cpus;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        for (unsigned i = 0; i < CPU_SETSIZE; ++i)
            if (CPU_ISSET(i, &set)) cpus.push_back(i);
    }
    if (cpus.empty()) cpus.push_back(0);
    return cpus;
}

/// The CPU for each core, kNoCpu where there are fewer CPUs than cores wanted.
constexpr unsigned kNoCpu = ~0U;
base::Result<std::vector<unsigned>> choose_cpus(const Config& config) {
    const std::vector<unsigned> available = available_cpus();
    if (!config.cpus.empty()) {
        for (const unsigned cpu : config.cpus)
            if (std::ranges::find(available, cpu) == available.end())
                return base::fail(concat("CPU ", cpu, " of --cores is not available to this process"));
        return config.cpus;
    }
    std::vector<unsigned> chosen = available;
    if (config.cores != 0) chosen.resize(config.cores, kNoCpu);
    if (chosen.size() > kCoresMax) chosen.resize(kCoresMax);
    return chosen;
}

void pin(std::thread& thread, unsigned cpu) {
    if (cpu == kNoCpu) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (pthread_setaffinity_np(thread.native_handle(), sizeof set, &set) != 0)
        log::warn(concat("a core could not be pinned to CPU ", cpu));
}

std::uint64_t raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
    }
    return std::min<std::uint64_t>(limit.rlim_cur, 16U << 20);
}

std::string version() { return concat(kVersion, "-", kBuildId); }

/// Everything that lives as long as the server runs.
struct Running {
    Running(std::shared_ptr<const Snapshot> first, ConfigSource source, const DescriptorPlan& plan,
            std::size_t core_count)
        : settings(*first),
          background(core_count, clock),
          reloader(std::move(first), std::move(source), plan),
          quotas(settings.apps.size()),
          mesh(core_count),
          ops(settings.config, quotas, version()) {
        ops.watch(background.tally());
        reloader.subscribe([this](const std::shared_ptr<const Snapshot>& next) { background.configure(next); });
    }
    std::unique_ptr<Predecessor> predecessor;  // first, to go last: who waits for our end sees it then
    const Snapshot& settings;                  // those of the start, until the first reload
    base::SystemClock clock;
    Background background;  // before the cores: they push into its rings
    Reloader reloader;
    Quotas quotas;
    Mesh mesh;
    Ops ops;
    std::vector<std::unique_ptr<io::UringRing>> rings;
    std::vector<std::unique_ptr<crypto::SystemRandom>> randoms;
    std::vector<std::unique_ptr<Stats>> stats;
    std::vector<std::unique_ptr<Core>> cores;
    Ports ports;
    int first_listener = -1;  // of the main port; a core's by now
};

/// `from`: the predecessor's, if there is one.
base::Result<void> begin_to_listen(Running& running, GivenPorts given, Successor* from) {
    auto ports = open_ports(running.settings.config, std::move(given), from, running.mesh.cores());
    if (!ports) return base::fail(ports.error());
    running.ports = *std::move(ports);
    running.first_listener = running.ports.main.sockets[0].get();
    running.ops.set_port(running.ports.main.port);
    running.predecessor =
        await_successor(running.ports, from != nullptr ? std::move(from->successor) : io::Descriptor(), version());
    return {};
}

base::Result<void> make_cores(Running& running, std::uint64_t descriptors) {
    io::UringOptions options;
    const io::Capabilities host = io::ask_host(static_cast<unsigned>(running.mesh.cores()), options);
    if (!host.obstacle.empty()) return base::fail(host.obstacle);
    for (const std::string& advice : host.advice) log::warn(advice);
    options.completion_per_send = host.completion_per_send;
    options.receive_limit = host.receive_limit;
    for (std::size_t i = 0; i < running.mesh.cores(); ++i) {
        auto ring = io::UringRing::create(options);
        if (!ring) return base::fail(ring.error());
        if (i == 0 && !(*ring)->restricted())
            log::warn(
                "the kernel does not let the rings be restricted to the operations that are used: they work without, "
                "one "
                "safeguard less");
        running.rings.push_back(std::move(*ring));
        running.randoms.push_back(std::make_unique<crypto::SystemRandom>());
        running.stats.push_back(std::make_unique<Stats>());
        running.mesh.set_sleeper(static_cast<CoreId>(i), running.rings[i].get());
        running.ops.watch(*running.stats[i]);
    }
    for (std::size_t i = 0; i < running.mesh.cores(); ++i) {
        CoreSetup setup{static_cast<CoreId>(i),
                        running.settings,
                        running.quotas,
                        running.mesh,
                        *running.rings[i],
                        running.clock,
                        *running.randoms[i],
                        *running.stats[i],
                        running.ops,
                        i < running.ports.main.sockets.size() ? running.ports.main.sockets[i].release() : -1,
                        i == 0 ? running.ports.metrics.sockets[0].get() : -1,
                        descriptors,
                        &running.background.rings()};
        for (std::size_t more = i + running.mesh.cores(); more < running.ports.main.sockets.size();
             more += running.mesh.cores())
            setup.more_listeners.push_back(running.ports.main.sockets[more].release());
        if (!running.ports.local.sockets.empty()) setup.unix_listener = running.ports.local.sockets[i].release();
        setup.listener_kept = running.ports.main_kept;
        setup.unix_listener_kept = running.ports.local_kept;
        setup.listeners_shared = running.ports.inherited;
        running.cores.push_back(std::make_unique<Core>(setup));
    }
    return {};
}

/// With ports and rings in hand, and before there are cores and background, becomes the user it is to run as.
base::Result<void> change_user(Running& running, const ConfigSource& source) {
    const Config& config = running.settings.config;
    if (config.user.empty()) {
        if (io::is_root() && !config.host.starts_with("127.") && config.host != "::1")
            log::warn(concat("running as root, and listening on ", config.host, ": give --user NAME[:GROUP]"));
        return {};
    }
    const auto account = io::find_account(config.user);
    if (!account) return base::fail(account.error());
    running.ports.local.give_to(account->user, account->group);
    if (const auto became = io::become(*account); !became) return base::fail(became.error());
    log::info(concat("running as user ", account->user, ", group ", account->group));
    if (const auto again = source(); !again.run)
        log::warn(concat("a reload will be refused: user ", account->user,
                         " cannot read the configuration as it is: ", log::escaped(again.text, 500)));
    return {};
}

/// Listeners for the cores that have none, because the predecessor had fewer. Not before it has let go: connections come to
/// them at once.
void widen_port(Running& running) {
    for (std::size_t i = running.ports.main.sockets.size(); i < running.cores.size(); ++i) {
        auto listener = io::further_listener(running.first_listener);
        if (!listener) {
            log::warn(concat("core ", i, " has no listener: ", listener.error()));
            continue;
        }
        running.predecessor->offer(SocketUse::main, listener->get());
        running.cores[i]->doors.add({.listener = listener->release()});
    }
}

/// All is made: the predecessor lets go, and what was handed over is ours.
base::Result<void> succeed(Running& running, std::unique_ptr<Successor> successor) {
    if (const auto word = successor->ready(running.ports.taken); !word) return base::fail(word.error());
    running.ports.local.take_name();
    // Told to end while we were getting ready, it went without knowing what we do not take.
    running.ports.abandoned.take_name();
    running.ports.abandoned = {};
    widen_port(running);
    return {};  // what is the predecessor's alone is closed here: nobody is to wait behind it for us
}

void announce(const Running& running) {
    if (running.settings.config.development_app) {
        std::printf(
            "No app is configured: serving the DEVELOPMENT app, whose secret everybody knows.\n"
            "  id app-id   key app-key   secret app-secret   (--app ID:KEY:SECRET or --config FILE for your own)\n");
    }
    std::printf("spillway %s with %zu core%s, up to %llu clients\n", version().c_str(), running.cores.size(),
                running.cores.size() == 1 ? "" : "s",
                static_cast<unsigned long long>(running.settings.config.max_clients));
    std::printf("listening on http://%s\n", running.ports.main.address.c_str());
    if (!running.ports.local.path().empty()) std::printf("listening on unix:%s\n", running.ports.local.path().c_str());
    std::printf("metrics on http://%s\n", running.ports.metrics.address.c_str());
    std::fflush(stdout);
}

}  // namespace

base::Result<int> serve(Config wanted, const ConfigSource& source) {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, s);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signal(SIGPIPE, SIG_IGN);

    const auto cpus = choose_cpus(wanted);
    if (!cpus) return base::fail(cpus.error());
    const std::uint64_t descriptors = raise_descriptor_limit();
    const DescriptorPlan plan = plan_descriptors(descriptors, cpus->size());
    settle(wanted, plan);
    settle_memory(wanted, io::available_memory(""));
    if (wanted.max_clients > plan.connections)
        log::warn(concat("max-clients is ", wanted.max_clients, ", but a limit of ", descriptors,
                         " descriptors allows no more than ", plan.connections,
                         " connections: raise it (ulimit -n, LimitNOFILE= of systemd)"));
    auto given = take_given_ports();
    if (!given) return base::fail(std::move(given).error());
    auto successor = ask_predecessor(wanted, *given, version());
    if (!successor) return base::fail(std::move(successor).error());
    Running running(first_snapshot(std::move(wanted)), source, plan, cpus->size());

    if (const auto opened = begin_to_listen(running, *std::move(given), successor->get()); !opened)
        return base::fail(opened.error());
    if (const auto made = make_cores(running, descriptors); !made) return base::fail(made.error());
    if (const auto changed = change_user(running, source); !changed) return base::fail(changed.error());

    if (const auto started = running.background.start(running.reloader.current(), concat("spillway/", kVersion));
        !started)
        return base::fail(started.error());
    if (*successor != nullptr) {
        if (const auto succeeded = succeed(running, *std::move(successor)); !succeeded)
            return base::fail(succeeded.error());
    }
    running.predecessor->open(running.clock.now());
    running.ops.set_started(running.clock.now());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < running.cores.size(); ++i) {
        threads.emplace_back([core = running.cores[i].get()] { core->run(); });
        pin(threads.back(), (*cpus)[i]);
    }
    io::Supervisor supervisor = io::Supervisor::from_environment();
    Control control(running.mesh, running.reloader, running.quotas, running.ops, running.background, supervisor,
                    *running.predecessor, running.clock, signals);
    announce(running);  // last: whoever reads it finds every thread and every descriptor there
    supervisor.ready(concat("listening on ", running.ports.main.address));
    control.run();
    if (control.inherited(SocketUse::local)) running.ports.local.leave_name();
    for (std::thread& thread : threads) thread.join();
    control.finish();
    log::info("drained");
    return 0;
}

}  // namespace spillway::server
