// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Reload: the configuration is read and checked anew on the control thread, and taken whole or refused whole. A snapshot
// goes to every core through the mesh; the one before lives until the last core has left it. Whoever else needs the
// settings (the threads beside the cores) subscribes.
//
// Thread: control.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "server/config_load.h"
#include "server/descriptor_plan.h"
#include "server/mesh.h"
#include "server/ops.h"
#include "server/quotas.h"
#include "server/snapshot.h"

namespace spillway::server {

/// Reads file, environment and flags as at the start.
using ConfigSource = std::function<LoadOutcome()>;

class Reloader {
public:
    /// `plan`: for what a configuration leaves to the descriptor limit.
    Reloader(std::shared_ptr<const Snapshot> first, ConfigSource source, const DescriptorPlan& plan);

    /// The settings in force; while waiting() is true, some cores still have the ones before.
    [[nodiscard]] const std::shared_ptr<const Snapshot>& current() const { return current_; }

    /// Called on the control thread with each snapshot that was taken, when the cores have been told of it but may not have
    /// switched yet. Must not block; keeps the pointer as long as it needs the settings.
    using Subscriber = std::function<void(const std::shared_ptr<const Snapshot>&)>;
    void subscribe(Subscriber subscriber) { subscribers_.push_back(std::move(subscriber)); }

    /// Reads anew, and tells everybody if the outcome is sound; says in the log what became of it. Asked while a reload is
    /// under way, it follows when that is done.
    void reload(MeshPort& port, Quotas& quotas, Ops& ops);
    /// A core has switched.
    void switched(MeshPort& port, Quotas& quotas, Ops& ops);
    [[nodiscard]] bool waiting() const { return switching_ != 0; }

private:
    void take(Succession next, MeshPort& port, Quotas& quotas, Ops& ops);

    std::shared_ptr<const Snapshot> current_;
    std::shared_ptr<const Snapshot> before_;
    const ConfigSource source_;
    const DescriptorPlan plan_;
    std::vector<Subscriber> subscribers_;
    std::size_t switching_ = 0;  // cores that have not answered
    bool again_ = false;
};

}  // namespace spillway::server
