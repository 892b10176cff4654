"""moto's server, with the public addresses of instances on loopback.

SkyPilot connects to the addresses of services that it launched. An address of moto's own choice is another machine's;
one on loopback leads to the instance's node, or nowhere.
"""
import random

from moto.ec2.models import elastic_network_interfaces
from moto.server import main


def loopback_ip():
    return '127.{}.{}.{}'.format(random.randint(16, 254), random.randint(0, 255), random.randint(1, 254))


elastic_network_interfaces.random_public_ip = loopback_ip
main()
