// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
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
#include "io/unix_listener.h"
#include "io/uring_ring.h"
#include "server/background.h"
#include "server/control.h"
#include "server/core.h"
#include "server/descriptor_plan.h"
#include "server/memory_budget.h"
#include "server/predecessor.h"
#include "server/successor.h"

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
    io::Listeners main;
    int first_listener = -1;  // of the main port; a core's by now
    io::UnixListener local;
    io::UnixListener abandoned;  // a predecessor's that is not taken over
    io::Listeners metrics;
    bool main_kept = false;  // a service manager has it open as well
    bool local_kept = false;
    bool inherits = false;  // from a predecessor
};

/// Sockets that a service manager opened for us, by what they are for.
struct Given {
    io::Descriptor main;
    io::Descriptor metrics;
    io::Descriptor local;
};

base::Result<Given> take_given() {
    const auto variable = [](const char* name) {
        const char* value = std::getenv(name);  // before there are other threads
        return std::string_view(value == nullptr ? "" : value);
    };
    auto sockets = io::given_sockets(variable("LISTEN_FDS"), variable("LISTEN_PID"), variable("LISTEN_FDNAMES"));
    if (!sockets) return base::fail(std::move(sockets).error());
    Given given;
    for (io::GivenSocket& socket : *sockets) {
        int family = 0;
        socklen_t bytes = sizeof family;
        static_cast<void>(::getsockopt(socket.fd.get(), SOL_SOCKET, SO_DOMAIN, &family, &bytes));
        io::Descriptor& place = socket.name == "metrics" ? given.metrics : family == AF_UNIX ? given.local : given.main;
        if (place)
            return base::fail(concat("two sockets for the same purpose were handed to us, the second is called \"",
                                     log::escaped(socket.name),
                                     "\": one of each kind is possible, and FileDescriptorName=metrics "
                                     "tells the metrics port from the main one"));
        place = std::move(socket.fd);
    }
    return given;
}

base::Result<io::Listeners> listen(io::Descriptor given, std::string_view host, std::uint16_t port, std::size_t count) {
    return given ? io::share_listener(std::move(given), count) : io::open_listeners(host, port, count);
}

/// What a predecessor hands over; nothing without one, or without being asked for it.
base::Result<std::unique_ptr<Successor>> ask_predecessor(const Config& config, const Given& given) {
    if (!config.take_over) return nullptr;
    if (given.main || config.port == 0) {
        log::info(concat("nobody to take over from: the port is ",
                         given.main ? "the service manager's" : "any that is free"));
        return nullptr;
    }
    const auto address = io::listener_address(config.host, config.port);
    if (!address) return nullptr;  // what is wrong with it is said by who opens it
    uid_t user = ::geteuid();
    if (!config.user.empty()) {
        const auto account = io::find_account(config.user);
        if (!account) return base::fail(account.error());
        user = account->user;
    }
    auto successor = Successor::ask(successor_name(*address), user, version(), {});
    if (!successor) return base::fail(std::move(successor).error());
    if (!successor->inherits()) return nullptr;
    return std::make_unique<Successor>(std::move(*successor));
}

base::Result<io::Listeners> open_main(const Config& config, Given& given, Successor* from, std::size_t cores) {
    if (from != nullptr) return io::inherit_listeners(std::move(from->main));
    return listen(std::move(given.main), config.host, config.port, cores);
}

/// Of a predecessor if it is where ours is to be.
base::Result<io::Listeners> open_metrics(const Config& config, Given& given, Successor* from,
                                         std::vector<SocketUse>& taken) {
    if (from != nullptr && from->metrics) {
        std::vector<io::Descriptor> sockets;
        sockets.push_back(std::move(from->metrics));
        auto inherited = io::inherit_listeners(std::move(sockets));
        if (!inherited || inherited->address == io::listener_address(config.metrics_host, config.metrics_port)) {
            taken.push_back(SocketUse::metrics);
            return inherited;
        }
    }
    return listen(std::move(given.metrics), config.metrics_host, config.metrics_port, 1);
}

base::Result<io::UnixListener> open_local(const Config& config, Given& given, Successor* from, std::size_t cores,
                                          std::vector<SocketUse>& taken) {
    if (given.local) return io::UnixListener::share(std::move(given.local), cores);
    const bool named = from != nullptr && !config.unix_socket.empty() && from->local_path == config.unix_socket;
    const bool nameless = from != nullptr && config.unix_socket.empty() && from->local_path.empty();
    if (from != nullptr && from->local && (named || nameless)) {
        taken.push_back(SocketUse::local);
        if (nameless) return io::UnixListener::share(std::move(from->local), cores);
        return io::UnixListener::inherit(std::move(from->local), config.unix_socket, config.unix_socket_mode, cores);
    }
    if (config.unix_socket.empty()) return io::UnixListener();
    return io::UnixListener::open(config.unix_socket, config.unix_socket_mode, cores);
}

/// Where a successor will ask, and for what.
void await_successor(Running& running, io::Descriptor inherited) {
    running.predecessor = std::make_unique<Predecessor>(successor_name(running.main.address), version());
    Predecessor& predecessor = *running.predecessor;
    for (const io::Descriptor& socket : running.main.sockets) predecessor.offer(SocketUse::main, socket.get());
    predecessor.offer(SocketUse::metrics, running.metrics.sockets[0].get());
    if (!running.local.sockets.empty()) predecessor.offer(SocketUse::local, running.local.sockets[0].get());
    if (running.local.owns_name()) predecessor.offer_name(running.local.path());
    predecessor.inherit(std::move(inherited));
}

/// The result are the sockets that are a predecessor's.
base::Result<std::vector<SocketUse>> open_ports(Running& running, Given given, Successor* from, std::size_t cores) {
    const Config& config = running.settings.config;
    running.main_kept = static_cast<bool>(given.main);
    running.local_kept = static_cast<bool>(given.local);
    running.inherits = from != nullptr;
    std::vector<SocketUse> taken;
    auto main = open_main(config, given, from, cores);
    if (!main) return base::fail(main.error());
    if (from != nullptr) taken.push_back(SocketUse::main);
    auto metrics = open_metrics(config, given, from, taken);
    if (!metrics) return base::fail(concat(metrics.error(), " (metrics port: --metrics-port chooses another)"));
    auto local = open_local(config, given, from, cores, taken);
    if (!local) return base::fail(local.error());
    running.ops.set_port(main->port);
    running.main = std::move(*main);
    running.first_listener = running.main.sockets[0].get();
    running.metrics = std::move(*metrics);
    running.local = std::move(*local);
    const bool left = from != nullptr && std::ranges::find(taken, SocketUse::local) == taken.end();
    if (left && !from->local_path.empty()) running.abandoned = io::UnixListener::abandoned(from->local_path);
    await_successor(running, from != nullptr ? std::move(from->successor) : io::Descriptor());
    return taken;
}

base::Result<void> make_cores(Running& running, std::uint64_t descriptors) {
    io::UringOptions options;
    const io::Capabilities host = io::ask_host(static_cast<unsigned>(running.mesh.cores()), options);
    if (!host.obstacle.empty()) return base::fail(host.obstacle);
    for (const std::string& advice : host.advice) log::warn(advice);
    options.completion_per_send = host.completion_per_send;
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
                        i < running.main.sockets.size() ? running.main.sockets[i].release() : -1,
                        i == 0 ? running.metrics.sockets[0].get() : -1,
                        descriptors,
                        &running.background.rings()};
        for (std::size_t more = i + running.mesh.cores(); more < running.main.sockets.size();
             more += running.mesh.cores())
            setup.more_listeners.push_back(running.main.sockets[more].release());
        if (!running.local.sockets.empty()) setup.unix_listener = running.local.sockets[i].release();
        setup.listener_kept = running.main_kept;
        setup.unix_listener_kept = running.local_kept;
        setup.listeners_shared = running.inherits;
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
    running.local.give_to(account->user, account->group);
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
    for (std::size_t i = running.main.sockets.size(); i < running.cores.size(); ++i) {
        auto listener = io::further_listener(running.first_listener);
        if (!listener) {
            log::warn(concat("core ", i, " has no listener: ", listener.error()));
            continue;
        }
        running.predecessor->offer(SocketUse::main, listener->get());
        running.cores[i]->doors.add({.listener = listener->release()});
    }
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
    std::printf("listening on http://%s\n", running.main.address.c_str());
    if (!running.local.path().empty()) std::printf("listening on unix:%s\n", running.local.path().c_str());
    std::printf("metrics on http://%s\n", running.metrics.address.c_str());
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
    auto given = take_given();
    if (!given) return base::fail(std::move(given).error());
    auto successor = ask_predecessor(wanted, *given);
    if (!successor) return base::fail(std::move(successor).error());
    Successor* from = successor->get();
    Running running(first_snapshot(std::move(wanted)), source, plan, cpus->size());

    const auto taken = open_ports(running, *std::move(given), from, cpus->size());
    if (!taken) return base::fail(taken.error());
    if (const auto made = make_cores(running, descriptors); !made) return base::fail(made.error());
    if (const auto changed = change_user(running, source); !changed) return base::fail(changed.error());

    if (const auto started = running.background.start(running.reloader.current(), concat("spillway/", kVersion));
        !started)
        return base::fail(started.error());
    if (from != nullptr) {
        if (const auto word = from->ready(*taken); !word) return base::fail(word.error());
        running.local.take_name();
        // Told to end while we were getting ready, it went without knowing what we do not take.
        running.abandoned.take_name();
        running.abandoned = {};
        widen_port(running);
        successor->reset();  // with what is the predecessor's alone: nobody is to wait behind it for us
    }
    running.predecessor->open(running.clock.now());
    running.ops.set_started(running.clock.now());
    announce(running);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < running.cores.size(); ++i) {
        threads.emplace_back([core = running.cores[i].get()] { core->run(); });
        pin(threads.back(), (*cpus)[i]);
    }
    io::Supervisor supervisor = io::Supervisor::from_environment();
    supervisor.ready(concat("listening on ", running.main.address));
    Control control(running.mesh, running.reloader, running.quotas, running.ops, running.background, supervisor,
                    *running.predecessor, running.clock, signals);
    control.run();
    if (control.inherited(SocketUse::local)) running.local.leave_name();
    for (std::thread& thread : threads) thread.join();
    control.finish();
    log::info("drained");
    return 0;
}

}  // namespace spillway::server
