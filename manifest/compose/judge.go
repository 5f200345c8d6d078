package compose

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/souk-network/souk/manifest"
)

// judge collects refusals and notes while it takes out of the tree what does not go further.
type judge struct {
	root     *os.Root // the project folder, or nil
	file     string
	env      map[string]string
	unset    map[int]bool // lines with a variable that could not be replaced: what else is wrong there says nothing
	refusals manifest.Refusals
	notes    manifest.Refusals

	leftOut map[string]string // services that are left out, to their profiles
	groups  map[string]string // services to their groups
	hosts   map[string]bool   // host names of the tenant that lead somewhere
	denom   string            // of all amounts; empty when it is refused
}

func (j *judge) refuse(line int, what, why, try string) {
	if j.unset[line] {
		return
	}
	j.refusals = append(j.refusals, manifest.Refusal{File: j.file, Line: line, What: what, Why: why, Try: try})
}

func (j *judge) note(line int, what, why string) {
	j.tell(line, what, "without effect: "+why)
}

// tell says what a reader of the file may not expect, though it is taken.
func (j *judge) tell(line int, what, why string) {
	j.notes = append(j.notes, manifest.Refusal{File: j.file, Line: line, What: what, Why: why})
}

// interpolate replaces variables in all values; extensions of others are left alone.
func (j *judge) interpolate(root *node) {
	unset := map[int]bool{}
	j.interpolateBelow(root, "", unset)
	j.unset = unset
}

func (j *judge) interpolateBelow(n *node, what string, unset map[int]bool) {
	if n.kind == scalar && n.tag == "!!str" {
		text, err := interpolate(n.text, j.env)
		if err != nil {
			j.refuse(n.line, what, err.Error(), "set it in the environment, or write ${NAME:-default}")
			unset[n.line] = true
			text = ""
		}
		n.text = text
	}
	for _, e := range n.entries {
		if !foreign(e.key) {
			j.interpolateBelow(e.value, join(what, e.key), unset)
		}
	}
	for i, item := range n.items {
		j.interpolateBelow(item, join(what, strconv.Itoa(i)), unset)
	}
}

// foreign keys are extensions of other tools: theirs, whatever they hold.
func foreign(key string) bool { return strings.HasPrefix(key, "x-") && key != "x-souk" }

func join(what, key string) string {
	if what == "" {
		return key
	}
	return what + "." + key
}

// keys holds the keys of a mapping against its rules and leaves in it those that are taken.
func (j *judge) keys(n *node, what string, rules map[string]rule) {
	if n == nil || n.kind != mapping {
		return
	}
	var kept []entry
	for _, e := range n.entries {
		r, known := rules[e.key]
		at := join(what, e.key)
		switch {
		case foreign(e.key):
		case !known && e.key == "x-souk":
			j.refuse(e.line, at, "x-souk stands at the top level or in a service", "move it there")
		case !known:
			j.refuse(e.line, at, "unknown key", unknownHint(e.key, rules))
		case r.verdict == note:
			j.note(e.line, at, r.why)
		case r.verdict != take:
			j.refuse(e.line, at, r.why, r.try)
		default:
			kept = append(kept, e)
		}
	}
	n.entries = kept
}

func unknownHint(key string, rules map[string]rule) string {
	best, least := "", 3
	for known, r := range rules {
		if d := distance(key, known); r.verdict == take && (d < least || d == least && known < best) {
			best, least = known, d
		}
	}
	if best != "" {
		return fmt.Sprintf("%s, or x-%s for a key of your own", best, key)
	}
	return fmt.Sprintf("remove it, or x-%s for a key of your own", key)
}

// distance is the number of letters to change, insert or delete (Levenshtein); 3 and more count as 3.
func distance(a, b string) int {
	if len(a) > len(b)+2 || len(b) > len(a)+2 {
		return 3
	}
	row := make([]int, len(b)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for k := range len(b) {
			cost := diagonal
			if a[i] != b[k] {
				cost++
			}
			diagonal = row[k+1]
			row[k+1] = min(cost, row[k]+1, row[k+1]+1)
		}
	}
	return min(row[len(b)], 3)
}

// document judges the whole tree.
func (j *judge) document(root *node) {
	j.includes(root)
	j.keys(root, "", topRules)
	j.networks(root)
	for _, e := range entriesOf(root.get("services")) {
		j.service(e)
	}
	if souk := root.get("x-souk"); souk != nil {
		j.market(souk, "x-souk", false)
	}
}

func entriesOf(n *node) []entry {
	if n == nil {
		return nil
	}
	return append([]entry(nil), n.entries...)
}

func (j *judge) service(e entry) {
	what := "services." + e.key
	s := e.value
	if s.kind != mapping {
		j.refuse(e.line, what, "a service is a mapping", "image: nginx:1.27")
		return
	}
	if !manifest.ValidServiceName(e.key) {
		j.refuse(e.line, what, fmt.Sprintf("a service's name is part of a host name: lower-case letters, digits and inner hyphens, at most %d", manifest.MaxServiceBytes), "rename it")
	}
	j.keys(s, what, serviceRules)
	s.entries = slices.DeleteFunc(s.entries, func(e entry) bool { return e.value.isNull() }) // not said, as compose has it
	j.kinds(s, what)
	j.privileged(s, what)
	j.networkMode(s, what)
	j.serviceNetworks(s, what)
	j.build(s, what)
	j.environment(s, what)

	deploy := s.get("deploy")
	j.keys(deploy, what+".deploy", deployRules)
	j.keys(deploy.get("resources"), what+".deploy.resources", resourcesRules)
	j.keys(deploy.at("resources", "limits"), what+".deploy.resources.limits", limitsRules)
	j.keys(deploy.at("resources", "reservations"), what+".deploy.resources.reservations", reservationsRules)
	j.keys(deploy.get("restart_policy"), what+".deploy.restart_policy", restartRules)
	if mode := deploy.get("mode"); mode.isText() && mode.text != "replicated" && mode.text != "replicated-job" {
		j.refuse(mode.line, what+".deploy.mode", "one of a service on every machine is not for the market", "replicas: 2, or mode: replicated-job")
		deploy.drop("mode")
	}
	if souk := s.get("x-souk"); souk != nil {
		j.market(souk, what+".x-souk", true)
	}
}

// serviceKinds are the kinds of value of keys that are read by Souk or by compose-go.
var serviceKinds = map[string][]nodeKind{
	"image": {scalar}, "working_dir": {scalar}, "user": {scalar}, "cpus": {scalar}, "mem_limit": {scalar},
	"pids_limit": {scalar}, "scale": {scalar}, "restart": {scalar}, "read_only": {scalar},
	"stop_grace_period": {scalar}, "command": {scalar, list}, "entrypoint": {scalar, list},
	"env_file": {scalar, list}, "environment": {list, mapping}, "labels": {list, mapping},
	"deploy": {mapping}, "ports": {list}, "expose": {list}, "volumes": {list}, "tmpfs": {scalar, list}, "secrets": {list},
	"configs": {list}, "healthcheck": {mapping}, "depends_on": {list, mapping}, "links": {list}, "init": {scalar},
	"stop_signal": {scalar}, "hostname": {scalar}, "shm_size": {scalar}, "group_add": {list}, "cap_drop": {list},
	"ulimits": {mapping}, "extra_hosts": {list, mapping}, "security_opt": {list}, "container_name": {scalar},
	"profiles": {list}, "gpus": {list}, "mem_reservation": {scalar},
}

// kinds refuses and takes out values of a wrong kind.
func (j *judge) kinds(s *node, what string) {
	names := map[nodeKind]string{scalar: "one value", list: "a list", mapping: "a mapping"}
	for _, e := range entriesOf(s) {
		allowed, known := serviceKinds[e.key]
		if !known || e.value.isNull() || slices.Contains(allowed, e.value.kind) {
			continue
		}
		wanted := names[allowed[0]]
		if len(allowed) > 1 {
			wanted += " or " + names[allowed[1]]
		}
		j.refuse(e.line, join(what, e.key), "it is "+names[e.value.kind]+", wanted "+wanted, "")
		s.drop(e.key)
	}
}

func (j *judge) privileged(s *node, what string) {
	if p := s.get("privileged"); p != nil && (p.kind != scalar || p.text != "false") {
		j.refuse(p.line, what+".privileged", "a workload never gets the host's privileges", removeLine)
	}
	s.drop("privileged")
}

func (j *judge) networkMode(s *node, what string) {
	mode := s.get("network_mode")
	switch {
	case mode == nil:
	case mode.isText() && (mode.text == "bridge" || mode.text == "default"):
	case mode.isText() && mode.text == "none":
		j.refuse(mode.line, what+".network_mode", notYet, removeLine)
	default:
		j.refuse(mode.line, what+".network_mode", ownHost, "remove it, and list what is served under ports")
	}
	s.drop("network_mode")
}

// serviceNetworks takes names of networks and further names in them only: the services of a group share one network.
func (j *judge) serviceNetworks(s *node, what string) {
	networks := s.get("networks")
	for _, e := range entriesOf(networks) {
		at := what + ".networks." + e.key
		if !e.value.isNull() && e.value.kind != mapping {
			j.refuse(e.value.line, at, "it is not a mapping", "{aliases: [name]}")
		}
		j.keys(e.value, at, serviceNetworkRules)
		for _, item := range itemsOf(e.value.get("aliases")) {
			if !item.isText() {
				j.refuse(item.line, at+".aliases", "it is not a name", "aliases: [name]")
			}
		}
	}
	if networks != nil && networks.kind == scalar && !networks.isNull() {
		j.refuse(networks.line, what+".networks", "networks are a list of names", "remove it")
	}
}

func (j *judge) networks(root *node) {
	if all := entriesOf(root.get("networks")); len(all) > 1 {
		j.note(all[1].line, "networks", "all services of a group share one network, so that these keep none of them apart")
	}
	for _, e := range entriesOf(root.get("networks")) {
		j.keys(e.value, "networks."+e.key, networkRules)
		if driver := e.value.get("driver"); driver != nil && (driver.kind != scalar || driver.text != "bridge") {
			j.refuse(driver.line, "networks."+e.key+".driver", "a deployment has one network of its own", "driver: bridge, or remove it")
		}
	}
	root.drop("networks")
}

// outside tells whether a path of the file leads out of the project folder by its own words; what symbolic links do
// is found when it is opened.
func outside(name string) bool {
	name = strings.ReplaceAll(name, `\`, "/")
	clean := path.Clean(name)
	return path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") || strings.HasPrefix(clean, "~") ||
		strings.Contains(name, "://") || len(name) > 1 && name[1] == ':'
}

const outsideWhy = "it leads out of the project folder"

func (j *judge) includes(root *node) {
	include := root.get("include")
	if include == nil {
		return
	}
	for i, item := range include.items {
		j.includeOne(item, "include."+strconv.Itoa(i))
	}
}

func (j *judge) includeOne(n *node, what string) {
	switch {
	case n.isText() && outside(n.text):
		j.refuse(n.line, what, outsideWhy, "copy the file into it")
	case n.kind != scalar:
		for _, key := range []string{"path", "project_directory", "env_file"} {
			if value := n.get(key); value != nil {
				j.includeOne(value, join(what, key))
			}
		}
		for _, item := range n.items {
			j.includeOne(item, what)
		}
	}
}

func (j *judge) build(s *node, what string) {
	if b := s.get("build"); b != nil {
		j.refuse(keyLine(s, "build"), what+".build", "images are not built here",
			fmt.Sprintf("docker build -t %[1]s:1 %[2]s && docker save -o %[1]s.tar %[1]s:1, then image: %[1]s:1 and x-souk: {image: ./%[1]s.tar}", path.Base(strings.ReplaceAll(what, ".", "/")), buildContext(b)))
		s.drop("build")
		// The refusal above says what to write; a second one about the image would not help.
		s.drop("image")
		s.entries = append(s.entries, entry{"image", b.line, &node{kind: scalar, tag: "!!str", line: b.line, text: unbuilt}})
	}
}

// buildContext is the folder that an image is built from, for a hint.
func buildContext(b *node) string {
	if b.kind == mapping {
		b = b.get("context")
	}
	if b.isText() && b.text != "" && !strings.ContainsAny(b.text, " \t\n'\"$`\\;&|") {
		return b.text
	}
	return "."
}

// unbuilt stands in for the image of a service that is refused for its build.
const unbuilt = "unbuilt:0"

// market judges the keys of an x-souk; its values are read later.
func (j *judge) market(n *node, what string, inService bool) {
	if n.kind != mapping {
		j.refuse(n.line, what, "x-souk is a mapping", "x-souk: {cap: 0.05}")
		return
	}
	j.keys(n, what, marketRules)
	if image := n.get("image"); image != nil && !inService {
		j.refuse(image.line, what+".image", "an image belongs to a service", "move it under the service's own x-souk")
		n.drop("image")
	}
	for _, key := range []string{"group", "spread", "job", "hostnames"} {
		if value := n.get(key); value != nil && !inService {
			j.refuse(value.line, what+"."+key, "it belongs to a service", "move it under the service's own x-souk")
			n.drop(key)
		}
	}
	if custodians := n.get("custodians"); custodians != nil && inService {
		j.refuse(custodians.line, what+".custodians", "custodians belong to the deployment", "move it under the x-souk at the top level")
		n.drop("custodians")
	}
	j.keys(n.get("providers"), what+".providers", providersRules)
	j.keys(n.get("registry"), what+".registry", registryRules)
}
