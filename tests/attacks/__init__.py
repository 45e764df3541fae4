"What strangers try, gate by gate."
