package compose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/souk-network/souk/manifest/manifestpb"
)

// need is one entry of depends_on with where it stands.
type need struct {
	dependency *manifestpb.Dependency
	line       int
	what       string
	optional   bool
}

var dependencyConditions = map[string]manifestpb.DependencyCondition{
	"service_started":                manifestpb.DependencyCondition_DEPENDENCY_CONDITION_STARTED,
	"service_healthy":                manifestpb.DependencyCondition_DEPENDENCY_CONDITION_HEALTHY,
	"service_completed_successfully": manifestpb.DependencyCondition_DEPENDENCY_CONDITION_COMPLETED,
}

// needs reads depends_on and links, and takes them out of the service.
func (j *judge) needs(s *node, what string) []need {
	started := manifestpb.DependencyCondition_DEPENDENCY_CONDITION_STARTED
	var all []need
	add := func(n need) {
		if !slices.ContainsFunc(all, func(other need) bool { return other.dependency.Service == n.dependency.Service }) {
			all = append(all, n)
		}
	}
	written := s.get("depends_on")
	for i, item := range itemsOf(written) {
		at := fmt.Sprintf("%s.depends_on.%d", what, i)
		if !item.isText() {
			j.refuse(item.line, at, "it is not a service's name", "depends_on: [db]")
			continue
		}
		add(need{&manifestpb.Dependency{Service: item.text, Condition: started}, item.line, at, false})
	}
	for _, e := range entriesOf(written) {
		at := what + ".depends_on." + e.key
		n := need{&manifestpb.Dependency{Service: e.key, Condition: started}, e.line, at, false}
		if e.value.kind != mapping && !e.value.isNull() {
			j.refuse(e.line, at, "it is not a mapping", "{condition: service_healthy}")
			continue
		}
		j.keys(e.value, at, dependencyRules)
		if e.value.get("condition") != nil {
			n.dependency.Condition = said(j, place{at + ".condition", e.value, "condition"}, parseDependency,
				"a condition", "service_started, service_healthy or service_completed_successfully")
		}
		if required := e.value.get("required"); required != nil {
			n.optional = !said(j, place{at + ".required", e.value, "required"}, parseFlag, "true or false", "required: false")
		}
		add(n)
	}
	for _, link := range j.links(s, what) {
		add(need{&manifestpb.Dependency{Service: link.service, Condition: started}, link.line, link.what, false})
	}
	s.drop("depends_on")
	s.drop("links")
	return all
}

func parseDependency(text string) (manifestpb.DependencyCondition, bool) {
	condition, known := dependencyConditions[text]
	return condition, known
}

// link is one entry of links: services reach each other by name anyhow; what is left is the order and a further name.
type link struct {
	service, alias string
	line           int
	what           string
}

func (j *judge) links(s *node, what string) []link {
	var all []link
	for i, item := range itemsOf(s.get("links")) {
		at := fmt.Sprintf("%s.links.%d", what, i)
		service, alias, _ := strings.Cut(item.text, ":")
		if !item.isText() || service == "" {
			j.refuse(item.line, at, "it is not a service's name", "depends_on: [db]")
			continue
		}
		if alias == service {
			alias = ""
		}
		all = append(all, link{service, alias, item.line, at})
	}
	return all
}

// order checks what services wait for, and gives it to them.
func (j *judge) order(group *manifestpb.Group, needs map[string][]need) {
	for _, service := range group.Services {
		for _, n := range needs[service.Name] {
			if j.needed(group, service, n) {
				service.DependsOn = append(service.DependsOn, n.dependency)
			}
		}
		slices.SortFunc(service.DependsOn, func(a, b *manifestpb.Dependency) int { return strings.Compare(a.Service, b.Service) })
	}
}

// needed tells whether a dependency goes into the manifest, and makes a job of a service whose end is waited for.
func (j *judge) needed(group *manifestpb.Group, service *manifestpb.Service, n need) bool {
	name := n.dependency.Service
	at := slices.IndexFunc(group.Services, func(s *manifestpb.Service) bool { return s.Name == name })
	profiles, left := j.leftOut[name]
	switch {
	case at < 0 && n.optional:
		j.tell(n.line, n.what, "not waited for: it is not among the services")
		return false
	case left:
		j.refuse(n.line, n.what, fmt.Sprintf("%q is left out, for none of its profiles (%s) is chosen", name, profiles), "choose the profile, or required: false")
		return false
	case at < 0 && j.groups[name] != "":
		j.refuse(n.line, n.what, fmt.Sprintf("%q is in another group, %s, which may be placed at another provider", name, j.groups[name]), "one x-souk.group for both")
		return false
	case at < 0:
		j.refuse(n.line, n.what, fmt.Sprintf("there is no service %q", name), "a service of this file")
		return false
	case name == service.Name:
		j.refuse(n.line, n.what, "a service cannot wait for itself", removeLine)
		return false
	}
	if n.dependency.Condition == manifestpb.DependencyCondition_DEPENDENCY_CONDITION_HEALTHY && group.Services[at].HealthCheck.GetDisabled() {
		j.refuse(n.line, n.what, fmt.Sprintf("the health check of %q is off", name), "condition: service_started")
		return false
	}
	if n.dependency.Condition == manifestpb.DependencyCondition_DEPENDENCY_CONDITION_COMPLETED {
		if !ends(group.Services[at]) {
			j.refuse(n.line, n.what, fmt.Sprintf("%q is started again whenever it ends", name), `restart: "no" or restart: on-failure in `+name)
			return false
		}
		group.Services[at].Job = true
	}
	return true
}
