// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The main thread while the server runs: the control endpoint of the mesh. It waits for signals and passes on what they
// mean: SIGHUP reloads, SIGTERM and SIGINT drain, a second one of these cuts; and it lets a successor take over, which
// drains as well. What happens is told to the service manager, and that the loops turn to its watchdog.
#pragma once

#include <csignal>
#include <cstddef>

#include "base/clock.h"
#include "io/signal_wait.h"
#include "io/supervisor.h"
#include "server/background.h"
#include "server/mesh.h"
#include "server/ops.h"
#include "server/predecessor.h"
#include "server/quotas.h"
#include "server/reloader.h"

namespace spillway::server {

class Control {
public:
    /// `signals`: blocked in every thread; waited for here. References outlive it.
    Control(Mesh& mesh, Reloader& reloader, Quotas& quotas, Ops& ops, Background& background,
            io::Supervisor& supervisor, Predecessor& predecessor, const base::Clock& clock, const sigset_t& signals)
        : port_(mesh, mesh.control()),
          reloader_(reloader),
          quotas_(quotas),
          ops_(ops),
          background_(background),
          supervisor_(supervisor),
          predecessor_(predecessor),
          clock_(clock),
          signals_(signals) {}

    /// Until every core is drained and told to stop.
    void run();
    /// Somebody took over what `use` names.
    [[nodiscard]] bool inherited(SocketUse use) const { return heir_ && predecessor_.heir().message.names(use); }
    /// When the cores' threads have ended: what they left for webhooks is sent, as far as the drain's time allows.
    void finish();

private:
    /// The next signal; 0 after a while without one.
    [[nodiscard]] int next_signal(bool answer_due);
    void hear_cores();
    void reload();
    void tell_alive();
    void note_memory();
    void drain();
    void hand_over();
    void tell_cores(Signal::What what);
    [[nodiscard]] std::size_t cores() const { return port_.self(); }

    MeshPort port_;
    Reloader& reloader_;
    Quotas& quotas_;
    Ops& ops_;
    Background& background_;
    io::Supervisor& supervisor_;
    Predecessor& predecessor_;
    const base::Clock& clock_;
    io::SignalWait signals_;
    bool heir_ = false;         // a successor has taken over
    base::Instant deadline_{};  // of the drain
    base::Instant alive_due_{};
    base::Instant memory_due_{};
    std::size_t drained_ = 0;
};

}  // namespace spillway::server
