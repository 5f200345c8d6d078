package compose

import (
	"fmt"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// size refuses a group of which not even one replica fits into a lease, and replicas of which too many may come to one
// provider.
func (j *judge) size(d *draft, group *manifestpb.Group, demand manifest.Demand) {
	if containers := manifest.Containers(group); containers > manifest.MaxLeaseContainers {
		line, what := replicaLine(largest(d, group))
		j.refuse(line, what, fmt.Sprintf("with it the group %s has %d replicas of its services, at most %d", d.name, containers, manifest.MaxLeaseContainers),
			"fewer, or some services in a group of their own: x-souk: {group: edge}")
		return
	}
	if volumes := len(group.Volumes); volumes > manifest.MaxVolumes {
		j.refuse(d.services[0].line, "services."+d.services[0].key, fmt.Sprintf("its group %s mounts %d volumes, at most %d", d.name, volumes, manifest.MaxVolumes),
			"fewer, with folders in one: {type: volume, source: data, target: /data, volume: {subpath: part}}")
		return
	}
	if most := manifest.MaxCopies(group); demand.Together() > most { // replicas of a group are those of its one service
		line, what := replicaLine(d.services[0])
		j.refuse(line, what, fmt.Sprintf("%d of them may come to one provider, where a lease holds %d", demand.Together(), most),
			fmt.Sprintf("x-souk: {spread: {provider: %d}}", most))
	}
}

// largest is the service of a group that has the most replicas.
func largest(d *draft, group *manifestpb.Group) entry {
	found, most := d.services[0], uint32(0)
	for _, e := range d.services {
		for _, s := range group.Services {
			if s.Name == e.key && s.Replicas > most {
				found, most = e, s.Replicas
			}
		}
	}
	return found
}

// replicaLine is where the number of a service's replicas stands.
func replicaLine(e entry) (line int, what string) {
	what = "services." + e.key
	for _, p := range replicaPlaces(e.value, what) {
		if n := p.node(); n != nil && !n.isNull() {
			return n.line, p.what
		}
	}
	return e.line, what
}
