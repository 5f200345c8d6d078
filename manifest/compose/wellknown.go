package compose

// wellKnown are ports of servers that do not speak HTTP, by container port, with the names of their protocols. The names
// are those of the IANA Service Name and Transport Protocol Port Number Registry
// (https://www.iana.org/assignments/service-names-port-numbers), but for the last block: there the registry has another
// name or none, and the name is that of the server which everybody knows there, from its own documentation.
var wellKnown = map[uint32]string{
	21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp", 53: "domain", 110: "pop3", 143: "imap", 389: "ldap", 465: "submissions",
	587: "submission", 636: "ldaps", 853: "domain-s", 873: "rsync", 990: "ftps", 993: "imaps", 995: "pop3s", 1433: "ms-sql-s",
	1883: "mqtt", 2049: "nfs", 3306: "mysql", 3389: "ms-wbt-server", 5222: "xmpp-client", 5269: "xmpp-server", 5432: "postgresql",
	5671: "amqps", 5672: "amqp", 5900: "rfb", 6379: "redis", 6667: "ircu", 6697: "ircs-u", 7687: "bolt", 8883: "secure-mqtt",
	11211: "memcache", 25565: "minecraft", 27017: "mongodb", 33060: "mysqlx",

	1521: "oracle", 2181: "zookeeper", 4222: "nats", 5044: "beats", 9042: "cassandra", 9092: "kafka", 9300: "elasticsearch-transport",
	26379: "redis-sentinel",
}
