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
	"volumes":  taken,
	"secrets":  taken,
	"configs":  taken,
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

	"container_name":     taken,
	"logging":            noted("the provider keeps the logs, see souk logs"),
	"pull_policy":        noted("the provider pulls what it does not have"),
	"pull_refresh_after": noted("the provider pulls what it does not have"),
	"attach":             noted("souk logs shows every service"),
	"develop":            noted("it is for docker compose watch"),

	"depends_on":      taken,
	"healthcheck":     taken,
	"secrets":         taken,
	"configs":         taken,
	"tmpfs":           taken,
	"volumes_from":    soon("name the volume in both services, at the top level, too"),
	"gpus":            taken,
	"hostname":        taken,
	"domainname":      soon(removeLine),
	"init":            taken,
	"stop_signal":     taken,
	"tty":             soon("remove it; souk exec -it gives a terminal"),
	"stdin_open":      soon("remove it; souk exec -i gives an input"),
	"platform":        soon("ask the market for it: x-souk: {labels: {arch: amd64}}"),
	"runtime":         soon(removeLine),
	"shm_size":        taken,
	"ulimits":         taken,
	"umask":           soon(removeLine),
	"dns":             soon(removeLine),
	"dns_opt":         soon(removeLine),
	"dns_search":      soon(removeLine),
	"extra_hosts":     taken,
	"links":           taken,
	"external_links":  soon("remove it; a deployment reaches others by their public address"),
	"group_add":       taken,
	"cap_drop":        taken,
	"security_opt":    taken,
	"profiles":        taken,
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
	"mem_reservation": taken,
	"mem_swappiness":  noted("a workload has no swap"),
	"memswap_limit":   noted("a workload has no swap"),
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
	"endpoint_mode":   noted("connections to a service's name are spread over its replicas"),
	"labels":          soon("labels of the service"),
	"update_config":   noted("replicas are updated one after the other, and the first that fails ends it"),
	"rollback_config": noted("a replica whose update fails goes back by itself"),
	"placement":       refuse(marketTerms, "x-souk: {regions: [eu-west], labels: {arch: amd64}}"),
}

var resourcesRules = map[string]rule{
	"limits":       taken,
	"reservations": taken,
}

var reservationsRules = map[string]rule{
	"cpus":    taken,
	"memory":  taken,
	"devices": taken,

	"pids":              soon("write it under limits"),
	"generic_resources": soon("x-souk: {labels: {…}}"),
}

var deviceRules = map[string]rule{
	"count":        taken,
	"capabilities": taken,
	"driver":       noted("the provider has the driver of its GPUs"),

	"device_ids": refuse(marketTerms, "count: 1"),
	"options":    soon(removeLine),
}

var limitsRules = map[string]rule{
	"cpus":   taken,
	"memory": taken,
	"pids":   taken,
}

var restartRules = map[string]rule{
	"condition":    taken,
	"max_attempts": taken,
	"delay":        noted("the time between starts grows with the failures"),
	"window":       noted("a service that stays up counts as started"),
}

var healthRules = map[string]rule{
	"test":           taken,
	"interval":       taken,
	"timeout":        taken,
	"retries":        taken,
	"start_period":   taken,
	"start_interval": taken,
	"disable":        taken,
}

var dependencyRules = map[string]rule{
	"condition": taken,
	"required":  taken,
	"restart":   noted("a service is not started again because another one was"),
}

var volumeRules = map[string]rule{
	"driver":   taken,
	"external": taken,
	"x-souk":   taken,
	"name":     noted("a deployment has volumes of its own"),
	"labels":   noted("a volume has no labels"),

	"driver_opts": refuse("where a volume is kept is the provider's, and its class says x-souk", persistExample),
}

var volumeMarketRules = map[string]rule{
	"class": taken,
	"size":  taken,
}

var mountRules = map[string]rule{
	"type":        taken,
	"source":      taken,
	"target":      taken,
	"read_only":   taken,
	"volume":      taken,
	"tmpfs":       taken,
	"bind":        taken,
	"consistency": noted("volumes are always consistent"),

	"image": soon("put the files into the image"),
}

var mountVolumeRules = map[string]rule{
	"subpath": taken,
	"nocopy":  noted("whether files of the image are copied into a new volume is the provider's"),
	"labels":  noted("a volume has no labels"),
}

var tmpfsRules = map[string]rule{
	"size": taken,
	"mode": taken,
}

var secretRules = map[string]rule{
	"file":        taken,
	"environment": taken,
	"external":    taken,
	"name":        noted("a file belongs to this deployment only"),
	"labels":      noted("a file has no labels"),

	"driver":          soon("file or environment"),
	"driver_opts":     soon("file or environment"),
	"template_driver": soon("variables in the text itself"),
}

var configRules = map[string]rule{
	"file":        taken,
	"environment": taken,
	"content":     taken,
	"external":    taken,
	"name":        noted("a file belongs to this deployment only"),
	"labels":      noted("a file has no labels"),

	"template_driver": soon("variables in the text itself"),
}

var fileRules = map[string]rule{
	"source": taken,
	"target": taken,
	"uid":    taken,
	"gid":    taken,
	"mode":   taken,
}

var ulimitRules = map[string]rule{
	"nofile": taken,
	"nproc":  noted("pids_limit bounds the processes of a service"),

	"as": soon("mem_limit"), "core": soon(removeLine), "cpu": soon(removeLine), "data": soon("mem_limit"), "fsize": soon("x-souk: {storage: 2GiB}"),
	"locks": soon(removeLine), "memlock": soon("remove it; a workload has no swap"), "msgqueue": soon(removeLine), "nice": soon(removeLine),
	"rss": soon("mem_limit"), "rtprio": soon(removeLine), "rttime": soon(removeLine), "sigpending": soon(removeLine), "stack": soon(removeLine),
}

var nofileRules = map[string]rule{
	"soft": taken,
	"hard": taken,
}

var serviceNetworkRules = map[string]rule{
	"aliases":     taken,
	"priority":    noted("the services of a group share one network"),
	"gw_priority": noted("the services of a group share one network"),

	"ipv4_address":   refuse("the provider assigns addresses", "remove it; services reach each other by name"),
	"ipv6_address":   refuse("the provider assigns addresses", "remove it; services reach each other by name"),
	"link_local_ips": refuse("the provider assigns addresses", removeLine),
	"mac_address":    refuse("the provider assigns addresses", removeLine),
	"interface_name": soon(removeLine),
	"driver_opts":    soon(removeLine),
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
	"ipam":        refuse("the provider assigns addresses", "remove it; services reach each other by name"),
	"internal":    soon(removeLine),
	"external":    soon("remove it; a deployment has its own network"),
	"attachable":  noted("nothing else joins the network of a group"),
	"enable_ipv4": soon(removeLine),
	"enable_ipv6": soon("remove it; inside a deployment there is IPv4"),
	"labels":      noted("a network has no labels"),
}

var extendsRules = map[string]rule{
	"file":    taken,
	"service": taken,
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

	"group":     taken,
	"spread":    taken,
	"isolation": taken,
	"hostnames": taken,
	"registry":  taken,
	"job":       taken,

	"standbys": taken,
	"mode":     taken,

	"quotes": refuse("how a group finds its provider is its mode", "mode: quote"),
}

var providersRules = map[string]rule{
	"allow": taken,
	"deny":  taken,
}

var registryRules = map[string]rule{
	"server":   taken,
	"username": taken,
	"password": taken,
}

var spreadRules = map[string]rule{
	"provider": taken,
	"zone":     taken,
}
