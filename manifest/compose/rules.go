package compose

// verdict is what happens to a key of a compose file.
type verdict int

const (
	take  verdict = iota // read elsewhere
	note                 // without effect here and harmless: said, not refused
	later                // to be supported
	never                // against what Souk is
)

// rule is the verdict on a key, with the reason and what to write instead.
type rule struct {
	verdict verdict
	why     string
	try     string
}

const (
	notYet      = "not yet supported"
	removeLine  = "remove it"
	ownHost     = "a workload is kept apart from the provider's host and never gets its namespaces"
	marketTerms = "the market chooses the machine"
)

var taken = rule{verdict: take}

func soon(try string) rule        { return rule{later, notYet, try} }
func refuse(why, try string) rule { return rule{never, why, try} }
func noted(why string) rule       { return rule{note, why, ""} }

var topRules = map[string]rule{
	"name":     taken,
	"services": taken,
	"networks": taken,
	"x-souk":   taken,
	"version":  noted("obsolete in compose"),
	"volumes":  soon("a service keeps its data in its own disk, see x-souk.storage; it ends with the lease"),
	"secrets":  soon("environment variables, which only the provider of the lease receives"),
	"configs":  soon("put the file into the image"),
	"include":  soon("write everything into one file"),
	"models":   soon(removeLine),
	"jobs":     soon(removeLine),
}

var serviceRules = map[string]rule{
	"image":             taken,
	"entrypoint":        taken,
	"command":           taken,
	"environment":       taken,
	"env_file":          taken,
	"working_dir":       taken,
	"user":              taken,
	"ports":             taken,
	"expose":            taken,
	"deploy":            taken,
	"cpus":              taken,
	"mem_limit":         taken,
	"pids_limit":        taken,
	"scale":             taken,
	"restart":           taken,
	"read_only":         taken,
	"stop_grace_period": taken,
	"labels":            taken,
	"networks":          taken,
	"network_mode":      taken,
	"privileged":        taken,
	"volumes":           taken,
	"extends":           taken,
	"build":             taken,
	"x-souk":            taken,

	"container_name":     noted("a service is known by its own name"),
	"logging":            noted("the provider keeps the logs, see souk logs"),
	"pull_policy":        noted("the provider pulls what it does not have"),
	"pull_refresh_after": noted("the provider pulls what it does not have"),
	"attach":             noted("souk logs shows every service"),
	"develop":            noted("it is for docker compose watch"),

	"depends_on":      soon("one service a file; reach others by their public address"),
	"healthcheck":     soon("remove it; the container counts as ready when it runs"),
	"secrets":         soon("environment variables, which only the provider of the lease receives"),
	"configs":         soon("put the file into the image"),
	"tmpfs":           soon("write below /tmp of the container's own disk"),
	"volumes_from":    soon(removeLine),
	"gpus":            soon(removeLine),
	"hostname":        soon("remove it; the service's name is its host name"),
	"domainname":      soon(removeLine),
	"init":            soon("put an init such as tini into the image's entrypoint"),
	"stop_signal":     soon("handle SIGTERM, or set STOPSIGNAL in the image"),
	"tty":             soon(removeLine),
	"stdin_open":      soon(removeLine),
	"platform":        soon("ask the market for it: x-souk: {labels: {arch: amd64}}"),
	"runtime":         soon(removeLine),
	"shm_size":        soon(removeLine),
	"ulimits":         soon(removeLine),
	"umask":           soon(removeLine),
	"dns":             soon(removeLine),
	"dns_opt":         soon(removeLine),
	"dns_search":      soon(removeLine),
	"extra_hosts":     soon(removeLine),
	"links":           soon("remove it; services reach each other by name"),
	"external_links":  soon(removeLine),
	"group_add":       soon("user: name:group"),
	"cap_drop":        soon("remove it; a workload has only the few harmless capabilities"),
	"security_opt":    soon("remove it; no-new-privileges and the default seccomp profile are always on"),
	"profiles":        soon("remove the service or the profile"),
	"provider":        soon(removeLine),
	"models":          soon(removeLine),
	"pre_start":       soon(removeLine),
	"post_start":      soon(removeLine),
	"pre_stop":        soon(removeLine),
	"annotations":     soon("labels"),
	"label_file":      soon("labels"),
	"storage_opt":     soon("x-souk: {storage: 2GiB}"),
	"cpu_count":       soon("cpus: 2"),
	"cpu_percent":     soon("cpus: 0.5"),
	"cpu_period":      soon("cpus: 0.5"),
	"cpu_quota":       soon("cpus: 0.5"),
	"cpu_shares":      soon("cpus: 0.5"),
	"mem_reservation": soon("mem_limit: 256m"),
	"mem_swappiness":  soon("remove it; a workload has no swap"),
	"memswap_limit":   soon("remove it; a workload has no swap"),
	"blkio_config":    soon(removeLine),

	"cap_add":             refuse("a workload gets no more capabilities than the few harmless ones", "remove it, or an image that needs none"),
	"devices":             refuse("a workload gets no devices of the host", removeLine),
	"device_cgroup_rules": refuse("a workload gets no devices of the host", removeLine),
	"pid":                 refuse(ownHost, removeLine),
	"ipc":                 refuse(ownHost, removeLine),
	"uts":                 refuse(ownHost, removeLine),
	"cgroup":              refuse(ownHost, removeLine),
	"cgroup_parent":       refuse(ownHost, removeLine),
	"userns_mode":         refuse(ownHost, removeLine),
	"use_api_socket":      refuse("a workload never gets a container engine's socket", removeLine),
	"sysctls":             refuse("kernel settings belong to the provider", removeLine),
	"oom_kill_disable":    refuse("a workload over its memory limit is ended", "a larger mem_limit"),
	"oom_score_adj":       refuse("a workload over its memory limit is ended", "a larger mem_limit"),
	"cpu_rt_period":       refuse("real-time scheduling belongs to the provider", "cpus: 0.5"),
	"cpu_rt_runtime":      refuse("real-time scheduling belongs to the provider", "cpus: 0.5"),
	"cpuset":              refuse(marketTerms+" and its processors", "cpus: 0.5"),
	"mac_address":         refuse("the provider assigns addresses", removeLine),
	"credential_spec":     refuse("Windows containers are not run", removeLine),
	"isolation":           refuse("Windows containers are not run", removeLine),
}

var deployRules = map[string]rule{
	"replicas":        taken,
	"resources":       taken,
	"restart_policy":  taken,
	"mode":            taken,
	"endpoint_mode":   soon(removeLine),
	"labels":          soon("labels of the service"),
	"update_config":   soon(removeLine),
	"rollback_config": soon(removeLine),
	"placement":       refuse(marketTerms, "x-souk: {regions: [eu-west], labels: {arch: amd64}}"),
}

var resourcesRules = map[string]rule{
	"limits":       taken,
	"reservations": refuse("what is bought is the limit", "write it under limits"),
}

var limitsRules = map[string]rule{
	"cpus":   taken,
	"memory": taken,
	"pids":   taken,
}

var restartRules = map[string]rule{
	"condition":    taken,
	"delay":        soon(removeLine),
	"max_attempts": soon(removeLine),
	"window":       soon(removeLine),
}

var portRules = map[string]rule{
	"target":       taken,
	"published":    taken,
	"protocol":     taken,
	"app_protocol": taken,
	"host_ip":      taken,
	"mode":         taken,
	"name":         noted("ports go by their number"),
}

var networkRules = map[string]rule{
	"driver": taken,
	"name":   noted("the services of a file share one network of their own"),

	"driver_opts": soon(removeLine),
	"ipam":        soon("remove it; the provider assigns addresses"),
	"internal":    soon(removeLine),
	"external":    soon("remove it; a deployment has its own network"),
	"attachable":  soon(removeLine),
	"enable_ipv4": soon(removeLine),
	"enable_ipv6": soon(removeLine),
	"labels":      soon(removeLine),
}

var envFileRules = map[string]rule{
	"path":     taken,
	"required": taken,
	"format":   soon(removeLine),
}

var marketRules = map[string]rule{
	"cap":     taken,
	"denom":   taken,
	"deposit": taken,
	"regions": taken,
	"labels":  taken,
	"storage": taken,
	"egress":  taken,
	"image":   taken,

	"attested_by":    taken,
	"min_reputation": taken,
	"providers":      taken,
	"latency":        taken,
	"carbon":         taken,
	"class":          taken,
	"duration":       taken,
	"replace":        taken,
	"custodians":     taken,

	"spread":    soon("one file for each replica, with other regions"),
	"group":     soon("one file for each group"),
	"standbys":  soon("remove it; what fails is placed anew, see x-souk.replace"),
	"isolation": soon("labels: {isolation: gvisor}"),
	"quotes":    soon("remove it; x-souk.cap bounds the price"),
}

var providersRules = map[string]rule{
	"allow": taken,
	"deny":  taken,
}
